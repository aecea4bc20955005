"""The best trial's file says what the trial was, whatever the command or the preset set."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import FrozenTrial, TrialState, create_trial

from anomalynet.config.load import load
from anomalynet.data import sources
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.plan import Arm, plan
from anomalynet.sweep.search.study import best, write_best


def test_the_best_file_is_the_configuration_of_its_trial(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: hybrid.yaml\nmodel: {hidden: 48}\n")
    path = tmp_path / "mine.yaml"
    rate = "training.learning_rate: {low: 1.0e-05, high: 0.01, log: true}"
    space = f"axes: {{model.dropout: [0.1, 0.3], {rate}}}\nseeds: [0]\nfolds: [1]\n"
    preset = "presets: {quick: {training.patience: 7}}\n"
    path.write_text(f"experiment: {own}\ndesign: search\n{space}{preset}")
    overrides = ["training.epochs=3", "data.name=skab", "hardware.accelerator=cpu"]
    sweep = read_sweep(str(path), "quick")
    params: dict[str, object] = {"model.dropout": 0.3, "training.learning_rate": 1.23456e-05}
    out = tmp_path / "reports" / "mine"
    out.mkdir(parents=True)
    (out / "pareto_3.yaml").write_text("stale")
    assert write_best(sweep, overrides, {4: params}, out) == {4: "best.yaml"}
    assert not (out / "pareto_3.yaml").exists()
    trial = Arm("trial 4", sweep.experiments[0], params, params)
    run = plan(sweep, overrides, wanted=[trial])[0].loaded.config
    loaded = load(str(out / "best.yaml"), ["hardware.accelerator=cpu"], {"data.split.fold": 1})
    assert sources.completed(loaded.config) == run
    assert write_best(sweep, overrides[:1], {4: params}, out) == {4: "best.yaml"}
    data = plan(sweep, overrides[:1], wanted=[trial])[0].loaded.config.data
    assert f"  name: {data.name}\n" in (out / "best.yaml").read_text()


def done(*values: float) -> FrozenTrial:
    return create_trial(values=list(values), state=TrialState.COMPLETE)


def test_the_best_trials_by_hand() -> None:
    pruned = create_trial(state=TrialState.PRUNED)
    one = [done(0.2), pruned, done(0.7), done(0.7), done(0.1)]
    assert best(one, ["maximize"]) == [2]
    assert best(one, ["minimize"]) == [4]
    assert best([pruned], ["maximize"]) == []
    # higher is better, then smaller: 0 and 3 are beaten by 1
    two = [done(0.5, 30), done(0.6, 20), done(0.9, 90), done(0.6, 40), done(0.1, 10)]
    assert best(two, ["maximize", "minimize"]) == [2, 1, 4]
