"""Timelines around example incidents: scores, readings, reconstruction errors and attention, as the
runs stored them."""
