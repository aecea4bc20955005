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
    "microseconds": "duration",
    "µs per window": "duration",
    "lag_seconds": "distance of the readings' clock to now",
    "microseconds_per_window": "duration",
    "microseconds_single": "duration",
    "seconds_left": "estimate from durations",
    "train_seconds_spread": "duration",
    "score_seconds_spread": "duration",
    "microseconds_per_window_spread": "duration",
    "microseconds_single_spread": "duration",
    "device_seconds": "duration",
    "training, s per run": "duration",
    "scoring, s per run": "duration",
    "inference in batches, µs per window": "duration",
    "inference of one window alone, µs": "duration",
    "device time of all runs, s": "duration",
    "reported": "digest of what a report is made from, durations among it",
}
"""Keys of JSON and YAML, columns of tables by the heading that the baseline has."""

RENAMED: dict[str, str] = {}
"""Keys and headings that have another name than in the baseline: their values are compared."""

FILES = {
    "*.lock": "empty",
    ".holder.json": "process number and machine",
    "*/prepared/*": "cache of a data home, laid out as the program likes",
    ".fingerprints.json": "cache of a data home: times of files",
}
"""Names or paths of files that a case leaves."""
