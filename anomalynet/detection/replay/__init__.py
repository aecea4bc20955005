"""A data set as what a detector reads: a table, or messages by event time."""
