"""A simulated world that is made in a second and has both classes in every part of three folds."""

from __future__ import annotations

TINY = (
    "deployment.nodes=12 deployment.cell_nodes=12 duration=18h sampling.period=60 "
    "incidents.quiet_hours=1 incidents.per_node_day=30 incidents.attack=2"
)
"""`data.scenario` of smart_city: one cell of 12 nodes, 1,080 slots each; the first 60 are quiet."""
