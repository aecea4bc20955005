"""Designs as lists of arms: by hand for small sweeps, by counting for shipped ones."""

from __future__ import annotations

from pathlib import Path

from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.plan import Arm, arms, plan

ALONE = "experiment: hybrid\ndesign: one_at_a_time\n"


def written(folder: Path, text: str) -> Sweep:
    (folder / "mine.yaml").write_text(text)
    return read_sweep(str(folder / "mine.yaml"), "quick")


def named(found: list[Arm]) -> dict[str, dict[str, object]]:
    return {arm.name: arm.values for arm in found}


def test_one_at_a_time_is_the_reference_and_each_axis_alone(tmp_path: Path) -> None:
    axes = "axes: {model.attention: [false, true], model.pool: [1, 2, 4]}\n"
    found = arms(written(tmp_path, f"{ALONE}{axes}"))
    assert named(found) == {
        "reference": {"model.attention": True, "model.pool": 2},
        "model.attention=false": {"model.attention": False, "model.pool": 2},
        "model.pool=1": {"model.attention": True, "model.pool": 1},
        "model.pool=4": {"model.attention": True, "model.pool": 4},
    }
    assert [arm.name for arm in found if arm.reference] == ["reference"]
    assert all(arm.levels == arm.values for arm in found)


def test_the_file_can_name_another_reference_and_a_preset_moves_it(tmp_path: Path) -> None:
    axes = "axes: {model.pool: [1, 2], data.window: [16, 32]}\n"
    moved = "report: {reference: {model.pool: 1}}\npresets: {quick: {data.window: 16}}\n"
    found = arms(written(tmp_path, f"{ALONE}{axes}{moved}"))
    assert named(found)["reference"] == {"model.pool": 1, "data.window": 16}
    assert set(named(found)) == {"reference", "model.pool=2", "data.window=32"}


def test_factorial_is_every_combination_but_the_excluded_ones(tmp_path: Path) -> None:
    axes = "{model.cnn: [true, false], model.lstm: [true, false], model.pool: [1, 2]}"
    excluded = "[{model.cnn: false, model.lstm: false}, {model.cnn: false, model.pool: 1}]"
    text = f"experiment: hybrid\naxes: {axes}\nexclude: {excluded}\n"
    found = arms(written(tmp_path, text))
    with_cnn = {(True, lstm, pool) for lstm in (True, False) for pool in (1, 2)}
    assert {tuple(arm.values.values()) for arm in found} == with_cnn | {(False, True, 2)}
    assert found[0].reference
    assert found[0].values == {"model.cnn": True, "model.lstm": True, "model.pool": 2}
    assert sum(arm.reference for arm in found) == 1


def test_several_experiments_are_an_axis_of_their_own(tmp_path: Path) -> None:
    reference = "report: {reference: {experiment: hybrid}}\n"
    text = f"experiments: [cnn, hybrid]\naxes: {{model.pool: [1, 2]}}\n{reference}"
    found = arms(written(tmp_path, text))
    assert [arm.name for arm in found if arm.reference] == ["hybrid: model.pool=2"]
    assert {arm.name for arm in found} == {
        f"{name}: model.pool={pool}" for name in ("cnn", "hybrid") for pool in (1, 2)
    }
    assert found[0].levels == {"experiment": "hybrid", "model.pool": 2}


def test_an_extra_arm_is_beside_the_axes(tmp_path: Path) -> None:
    arm = "arms: {wide and flat: {model.channels: 128, model.pool: 1}}\n"
    text = f"{ALONE}axes: {{model.pool: [1, 2]}}\n{arm}"
    extra = next(arm for arm in arms(written(tmp_path, text)) if not arm.on_axes)
    assert (extra.name, extra.reference) == ("wide and flat", False)
    assert extra.values == {"model.channels": 128, "model.pool": 1}


def test_components_switches_each_part_off_alone() -> None:
    found = named(arms(read_sweep("components", "quick")))
    whole = {
        "model.attention": True,
        "model.autoencoder_depth": 2,
        "model.cnn": True,
        "model.lstm": True,
    }
    assert found["reference"] == whole
    off = {key: 0 if key == "model.autoencoder_depth" else False for key in whole}
    expected = [whole, *({**whole, key: value} for key, value in off.items())]
    assert sorted(map(str, found.values())) == sorted(map(str, expected))


def test_depths_have_an_arm_without_autoencoder_and_as_many_parameters() -> None:
    found = arms(read_sweep("autoencoder_depth", "quick"))
    depths = [arm.values["model.autoencoder_depth"] for arm in found if arm.on_axes]
    assert depths == [2, 0, 1, 3, 4]
    (matched,) = [arm.values for arm in found if not arm.on_axes]
    assert matched == {"model.autoencoder_depth": 0, "model.matched_depth": 2}


def test_identical_arms_of_two_sweeps_are_one_run() -> None:
    def runs(name: str) -> set[str]:
        found = [run.loaded for run in plan(read_sweep(name, "quick"))]
        return {str(one.config) for one in found if one.name == "hybrid"}

    assert len(runs("autoencoder_depth") & runs("attention")) == 3
    assert len(runs("attention") & runs("paper_models")) == 3
