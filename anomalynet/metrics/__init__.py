"""Metrics of steps, rankings, incidents and ranges; and the rules that choose a threshold."""
