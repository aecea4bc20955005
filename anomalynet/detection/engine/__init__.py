"""From messages to scores and alarms of many devices: no wall clock, no files, no network."""
