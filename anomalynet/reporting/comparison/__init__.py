"""Models over several data sets: ranks, tests, critical-difference diagrams."""
