"""The regression check: trains again and compares the results with a committed baseline."""
