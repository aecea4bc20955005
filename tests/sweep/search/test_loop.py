"""A search goes on after any interruption as if there had been none, never doubles a trial, and is
judged by means over its runs."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anomalynet.errors import ConfigError, StoppedError, UsageError
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.search import space
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.search.study import best, check
from anomalynet.sweep.search.trial_store import open_storage
from tests.sweep.search import fake
from tests.sweep.search.fake import (
    FakeWorker,
    Quiet,
    carried_out,
    search_of,
    searched,
    story,
    sweep_of,
    worth,
)

TRIALS = 20
FINITE = "experiment: hybrid\ndesign: search\nfolds: [0]\naxes: "
BOTH = "model.attention: [true, false]"
SEVERAL = fake.SPACE.replace(": hybrid", "s: [cnn, lstm]")


def process(
    folder: Path, settings: str, pause: float = 0.0, slots: int = 1, url: str | None = None
) -> subprocess.Popen[str]:
    words = [str(folder), settings, str(pause), str(slots), *([url] if url else [])]
    command = [sys.executable, "-m", "tests.sweep.search.fake", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def points(search: Search) -> list[str]:
    return [space.key_of(trial.params) for trial in search.store.trials()]


def every_number(search: Search) -> list[int]:
    """Of all trials in the storage, held or not."""
    return [trial.number for trial in search.store.storage.get_all_trials(search.store._study)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        "{trials: 20, sampler: random, batch: 3}",
        "{trials: 20, sampler: tpe, pruner: median}",
        "{trials: 20, sampler: tpe, pruner: hyperband, batch: 2}",
    ],
)
def test_a_search_that_is_killed_again_and_again_ends_as_one_that_was_not(
    tmp_path: Path, settings: str
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = carried_out(search_of(tmp_path / "whole", sweep_of(tmp_path / "whole", settings)))
    draw, kills = random.Random(settings), 0
    for _ in range(4):
        one = process(tmp_path / "killed", settings, pause=0.01)
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.05, 0.6))
        if one.poll() is None:
            one.send_signal(signal.SIGKILL)
            kills += 1
        one.communicate()
    assert kills >= 2
    again = carried_out(search_of(tmp_path / "killed", sweep_of(tmp_path / "killed", settings)))
    assert len(story(again)) == whole.total
    assert story(again) == story(whole)
    assert len(set(points(again))) == whole.total
    assert every_number(again) == list(range(whole.total))
    directions = whole.sweep.search.directions
    assert best(again.store.trials(), directions) == best(whole.store.trials(), directions)
    if "pruner" in settings:
        assert {"COMPLETE", "PRUNED"} == {state for state, _, _ in story(whole)}


@pytest.mark.parametrize("sampler", ["gp", pytest.param("random", marks=pytest.mark.slow)])
def test_a_search_in_parts_is_the_search_in_one(tmp_path: Path, sampler: str) -> None:
    settings = f"{{trials: 13, sampler: {sampler}}}"
    (tmp_path / "whole").mkdir()
    whole = carried_out(search_of(tmp_path / "whole", sweep_of(tmp_path / "whole", settings)))
    for total in (4, 11, 13):
        parts = carried_out(search_of(tmp_path, sweep_of(tmp_path, settings), total=total))
        assert len(story(parts)) == total
    assert story(parts) == story(whole)


@pytest.mark.parametrize(
    "url", [None, pytest.param("sqlite:///{folder}/search.db", marks=pytest.mark.slow)]
)
def test_two_commands_at_once_share_the_trials_and_make_no_more(
    tmp_path: Path, url: str | None
) -> None:
    where = url.format(folder=tmp_path) if url else None
    settings = "{trials: 20, sampler: tpe, batch: 2}"
    both = [process(tmp_path, settings, pause=0.02, url=where) for _ in range(2)]
    for one in both:
        _, error = one.communicate(timeout=120)
        assert one.returncode == 0, error
    found = search_of(tmp_path, sweep_of(tmp_path, settings), where)
    assert [state for state, _, _ in story(found)] == ["COMPLETE"] * TRIALS
    assert len(set(points(found))) == TRIALS
    assert len(every_number(found)) == TRIALS
    owners = {trial.user_attrs["owner"]["pid"] for trial in found.store.trials()}
    assert owners == {one.pid for one in both}


def test_a_database_holds_what_a_journal_holds(tmp_path: Path) -> None:
    settings = "{trials: 5}"
    chosen = sweep_of(tmp_path, settings)
    journal = carried_out(search_of(tmp_path, chosen))
    database = carried_out(search_of(tmp_path, chosen, f"sqlite:///{tmp_path}/search.db"))
    assert story(database) == story(journal)
    with pytest.raises(UsageError, match="cannot be opened"):
        open_storage("nonsense", tmp_path / "x.journal")


def test_the_number_of_trials_is_a_total(tmp_path: Path) -> None:
    chosen = sweep_of(tmp_path, "{trials: 4, sampler: random}")
    carried_out(search_of(tmp_path, chosen))
    worker = FakeWorker()
    again = search_of(tmp_path, chosen)
    searched(again, worker)
    assert worker.asked == []
    searched(search_of(tmp_path, chosen, total=6), worker)
    assert len(worker.asked) == 2
    assert len(story(again)) == 6


def test_another_space_is_another_search_whose_runs_are_shared(tmp_path: Path) -> None:
    first = carried_out(search_of(tmp_path, sweep_of(tmp_path, "{trials: 3, sampler: random}")))
    worker = FakeWorker()
    judged = "objectives: [validation/average_precision, parameters]"
    settings = f"{{trials: 3, sampler: random, {judged}}}"
    other = search_of(tmp_path, sweep_of(tmp_path, settings))
    assert other.store.name != first.store.name
    searched(other, worker)
    assert worker.asked == []
    assert [params for _, params, _ in story(other)] == [params for _, params, _ in story(first)]


def test_neither_slots_nor_speed_decide_what_is_tried(tmp_path: Path) -> None:
    settings = "{trials: 9, batch: 3}"
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    one, three = (
        search_of(tmp_path / name, sweep_of(tmp_path / name, settings)) for name in ("one", "three")
    )
    assert story(carried_out(one)) == story(carried_out(three, slots=3, pause=0.01))


def test_a_trial_is_worth_the_mean_over_seeds_and_folds(tmp_path: Path) -> None:
    places = "seeds: [0, 3]\nfolds: [0, 2]\nworlds: seed\n"
    judged = "[validation/average_precision, latency, parameters]"
    settings = f"{{trials: 3, sampler: random, objectives: {judged}}}"
    text = fake.SPACE.replace("seeds: [0]\nfolds: [0]\n", places)
    found = carried_out(search_of(tmp_path, sweep_of(tmp_path, settings, text)), slots=2)
    for trial in found.store.trials():
        every = [
            worth({**trial.params, "seed": seed, "data.split.fold": fold, "data.world": seed})
            for seed in (0, 3)
            for fold in (0, 2)
        ]
        hidden = trial.params["model.hidden"]
        assert trial.values == pytest.approx(
            [sum(every) / 4, 10 + hidden / 10, 1000 * hidden], rel=1e-12
        )
        assert len(trial.user_attrs["runs"]) == 4


def test_the_loss_is_that_of_the_epoch_that_was_kept(tmp_path: Path) -> None:
    chosen = sweep_of(tmp_path, "{trials: 1, objectives: [validation/loss]}")
    found = carried_out(search_of(tmp_path, chosen))
    trial = found.store.trials()[0]
    kept = worth({**trial.params, "seed": 0, "data.split.fold": 0}) * (1 - 0.5**6)
    assert trial.values == [pytest.approx(1 - kept)]


def test_a_grid_is_the_product_in_order_and_ends(tmp_path: Path) -> None:
    axes = f"{FINITE}{{model.hidden: {{low: 16, high: 48, step: 16}}, {BOTH}}}\n"
    text = axes + "exclude: [{model.hidden: 32, model.attention: false}]\n"
    grid = sweep_of(tmp_path, "{trials: 50, sampler: grid}", text)
    found = carried_out(search_of(tmp_path, grid))
    expected = [(16, True), (16, False), (32, True), (48, True), (48, False)]
    assert [tuple(params.values()) for _, params, _ in story(found)] == expected
    assert found.exhausted


@pytest.mark.parametrize("sampler", ["tpe", "random", pytest.param("gp", marks=pytest.mark.slow)])
def test_a_finite_space_is_tried_once_and_whole(tmp_path: Path, sampler: str) -> None:
    axes = f"{FINITE}{{model.hidden: {{low: 16, high: 64, step: 16}}, {BOTH}}}\n"
    finite = sweep_of(tmp_path, f"{{trials: 50, sampler: {sampler}}}", axes)
    found = carried_out(search_of(tmp_path, finite))
    assert found.exhausted
    assert len(set(points(found))) == len(points(found)) == 8


def test_a_failed_trial_counts_until_it_is_tried_again_in_its_place(tmp_path: Path) -> None:
    chosen = sweep_of(tmp_path, "{trials: 6, sampler: random}")
    found = carried_out(search_of(tmp_path, chosen), fails=("model.hidden", 128))
    states = [state for state, _, _ in story(found)]
    params = [params for _, params, _ in story(found)]
    assert states == ["FAIL" if one["model.hidden"] == 128 else "COMPLETE" for one in params]
    assert {"FAIL", "COMPLETE"} == set(states)
    failed = states.index("FAIL")
    assert "it was told to" in found.store.trials()[failed].user_attrs["reason"]
    carried_out(search_of(tmp_path, chosen))
    assert [state for state, _, _ in story(found)] == states
    again = search_of(tmp_path, chosen)
    again.renew(["failed"])
    carried_out(again)
    assert [state for state, _, _ in story(again)] == ["COMPLETE"] * 6
    assert [params for _, params, _ in story(again)] == params


def test_trials_whose_runs_other_code_made_are_made_again_on_request(tmp_path: Path) -> None:
    chosen = sweep_of(tmp_path, "{trials: 2, sampler: random}")
    found = carried_out(search_of(tmp_path, chosen))
    (folder,) = found.folders(found.store.trials()[1])
    folder.environment.write_text('{"code": "another"}')
    worker = FakeWorker()
    again = search_of(tmp_path, chosen)
    again.renew(["stale"])
    searched(again, worker)
    assert [job["renew"] for job in worker.asked] == [True]
    assert story(again) == story(found)


def test_values_that_make_no_configuration_fail_their_trial_alone(tmp_path: Path) -> None:
    switches = "model.cnn: [true, false], model.lstm: [true, false], model.attention: [false]"
    axes = f"{FINITE}{{{switches}}}\n"
    found = carried_out(search_of(tmp_path, sweep_of(tmp_path, "{trials: 4, sampler: grid}", axes)))
    states = [state for state, _, _ in story(found)]
    assert states.count("COMPLETE") >= 2
    bad = [trial for trial in found.store.trials() if trial.state.name == "FAIL"]
    assert all("model" in trial.user_attrs["reason"] for trial in bad)


def test_a_stop_that_somebody_else_asked_for_leaves_the_trial_to_the_next_command(
    tmp_path: Path,
) -> None:
    chosen = sweep_of(tmp_path, "{trials: 2, sampler: random}")
    found = search_of(tmp_path, chosen)

    class Nosy(Quiet):
        def look(self) -> None:
            for path in (tmp_path / "runs").glob("hybrid/*"):
                RunFolder(path).stop.touch()

    with pytest.raises(StoppedError, match="trial 0"):
        searched(found, FakeWorker(pause=0.2), Nosy())
    assert [state for state, _, _ in story(found)] == ["RUNNING"]
    carried_out(search_of(tmp_path, chosen))
    assert [state for state, _, _ in story(found)] == ["COMPLETE"] * 2


@pytest.mark.parametrize(
    ("text", "settings", "error", "message"),
    [
        (fake.SPACE, "{objectives: [test/auroc]}", ConfigError, "a leak"),
        (fake.SPACE, "{sampler: cmaes}", ConfigError, "known are tpe, gp, random, grid"),
        (fake.SPACE, "{sampler: grid}", UsageError, "axes.model.dropout"),
        (fake.SPACE.replace("hidden", "hiden"), "{trials: 1}", ConfigError, "model.hidden"),
        (SEVERAL, "{trials: 1}", UsageError, "one experiment"),
        (
            fake.SPACE + "arms: {mine: {model.cnn: false}}\n",
            "{trials: 1}",
            UsageError,
            "cannot have `arms`",
        ),
        ("experiment: hybrid\ndesign: search\n", "{trials: 1}", UsageError, "needs `axes`"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    tmp_path: Path, text: str, settings: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check(sweep_of(tmp_path, settings, text), [])


def test_an_argument_that_fixes_an_axis_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model\.hidden is an axis"):
        check(read_sweep("tune_hybrid", "quick"), ["model.hidden=32"])
