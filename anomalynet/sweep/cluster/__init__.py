"""Runs on the nodes of a Ray cluster: `session.py` connects, `worker.py` is the near end of a run,
`node.py` the far one."""
