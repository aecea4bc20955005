"""Measurements of speed (`python -m tests.benchmarks`), and of what a test is too small for."""
