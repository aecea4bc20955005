"""From messages to scores and alarms, many devices at a time: no wall clock, no files, no
network."""
