"""Reads tables of readings by one set of rules, and imports them as data sets."""
