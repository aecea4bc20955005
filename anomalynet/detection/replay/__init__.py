"""Converts a data set to the input of a detector: a table, or messages in event time."""
