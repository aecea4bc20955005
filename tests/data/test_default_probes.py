"""The default data set, in each of the worlds of the full preset, gives its labels away to no
trivial probe."""

from __future__ import annotations

import pytest

from anomalynet.config.load import load_data_config
from anomalynet.data.audit import audit


@pytest.mark.parametrize("world", [0, 1, 2])
def test_no_trivial_probe_ranks_the_default_data_above_070(world: int) -> None:
    found = audit(load_data_config("smart_city", [f"data.world={world}"]))
    trivial = {probe.probe: probe.auroc for probe in found.probes if probe.sees != "everything"}
    assert {
        "row position",
        "timestamp",
        "time step",
        "missingness",
        "temperature",
        "rssi",
        "sequence_gap",
        "inter_arrival",
    } <= set(trivial)
    assert {name: auroc for name, auroc in trivial.items() if auroc is None or auroc > 0.70} == {}
    assert found.prevalence > 0.05
