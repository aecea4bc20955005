"""Metrics of detection over time, computed with NumPy from labels, scores and alarms. Each takes
linear time in the number of steps, apart from a sort."""
