"""The service around the engine of a stream: the loop, messages, journal and snapshots, MQTT
addresses, metrics and status."""
