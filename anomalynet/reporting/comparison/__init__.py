"""Compares models over several data sets: ranks, Friedman's test and figures of mean ranks."""
