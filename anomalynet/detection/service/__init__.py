"""The service around the engine: loop, messages, journal, snapshots, MQTT, metrics, status."""
