"""What is not compared, by exact name, each with its reason; nothing else is left out anywhere."""

from __future__ import annotations

KEYS = {
    "code": "hash of the sources",
    "commit": "of the checkout that ran",
    "packages": "versions",
    "pid": "process number",
    "host": "name of the machine",
    "started": "date of now",
    "train_seconds": "duration",
    "score_seconds": "duration",
    "microseconds_per_window": "duration",
    "microseconds_single": "duration",
    "seconds_left": "estimate from durations",
}
"""Keys of JSON and YAML, columns of tables."""

FILES = {
    "*.lock": "empty",
    ".holder.json": "process number and machine",
    "*/prepared/*": "cache of a data home, laid out as the program likes",
    ".fingerprints.json": "cache of a data home: times of files",
}
"""Names or paths of files that a case leaves."""
