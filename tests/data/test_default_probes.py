"""The default data set gives its labels away to no trivial probe."""

from __future__ import annotations

from anomalynet.config.load import load_data_config
from anomalynet.data.audit import audit


def test_no_trivial_probe_ranks_the_default_data_above_070() -> None:
    found = audit(load_data_config("smart_city"))
    trivial = {probe.probe: probe.auroc for probe in found.probes if probe.sees != "everything"}
    assert {"row position", "timestamp", "time step", "missingness", "temperature", "rssi", "sequence_gap", "inter_arrival"} <= set(trivial)
    assert {name: auroc for name, auroc in trivial.items() if auroc is None or auroc > 0.70} == {}
    assert found.prevalence > 0.05
