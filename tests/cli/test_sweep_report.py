"""The command that a report names makes the same runs again."""

from __future__ import annotations

from anomalynet.cli.sweep_report import command_of
from anomalynet.sweep.file import read_sweep


def test_the_command_names_preset_and_settings_and_no_path_of_this_machine() -> None:
    overrides = [
        "data.name=skab",
        "data.root=/home/me/SKAB",
        "data.scenario=incidents.blunt=4 radio.kind=lora",
    ]
    assert command_of(read_sweep("paper_models", "full"), overrides) == (
        "anomalynet reproduce --preset full data.name=skab data.root=…/SKAB "
        "'data.scenario=incidents.blunt=4 radio.kind=lora'"
    ).replace("data.root=…/SKAB", "'data.root=…/SKAB'")
    assert command_of(read_sweep("seeds", "quick"), []) == "anomalynet sweep seeds --preset quick"
