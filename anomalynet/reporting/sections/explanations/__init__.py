"""Timelines of example incidents: scores, readings, errors and attention, as runs stored them."""
