"""Timelines around example incidents: scores, readings, reconstruction error and attention, from
what the runs kept."""
