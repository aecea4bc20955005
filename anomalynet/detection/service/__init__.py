"""What stands around the engine of a stream: addresses, messages, a journal and snapshots, the
loop, metrics and views."""
