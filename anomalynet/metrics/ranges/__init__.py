"""Metrics of detection over time, from labels, scores and alarms alone; NumPy, each linear in the
number of steps but for a sort."""
