"""Cases that train: runs, sweeps, searches, reports, the check."""

from __future__ import annotations

from tests.differential.case import Case, Step, step
from tests.differential.tables import devices
from tests.tiny import TINY

EXPERIMENTS = (
    *("cnn", "lstm", "cnn_lstm", "hybrid", "hybrid_causal", "autoencoder"),
    *("logistic", "random_forest", "gradient_boosting", "isolation_forest"),
)
SKAB = ("data.name=skab", "data.root={data}/skab", "training.epochs=1", "data.stride=64")
WORLD = (f"data.scenario={TINY}", "data.calibration_rows=50", "data.split.folds=3")
SHORT = (*WORLD, "data.stride=16", "training.epochs=2")
LORA = ("data.scenario=deployment.nodes=8 deployment.cell_nodes=8 duration=24h radio.kind=lora",)

IMPORT = step(
    "data import own.csv --name own --time time --series device --label attack --split part",
    files=(("own.csv", devices()),),
)
OWN = ("data.name=own", "data.calibration_rows=50", "data.stride=4", "training.epochs=2")

MINE = '''from dataclasses import dataclass

from torch import Tensor, nn

from anomalynet.config.model import ModelConfig
from anomalynet.models import Detector, Output


@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    width: int = 32
    """Width of the hidden layer."""


class Perceptron(Detector):
    """One hidden layer over the flattened window. Source: not in the paper."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        inputs = shape.steps * shape.channels
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(inputs, config.model.width), nn.ReLU(), nn.Linear(config.model.width, 2))

    def forward(self, x: Tensor) -> Output:
        return Output(logits=self.layers(self.normalise(x)))
'''
MINE_YAML = "extends: base.yaml\nmodel: {name: ./mine.py, width: 16}\ntraining: {epochs: 2}\n"

SWEEP = """\
# small — does attention help?
experiment: cnn_lstm
design: one_at_a_time
folds: [0, 1]
seeds: [0, 1]
axes: {model.pool: [2, 1], training.learning_rate: [0.001, 0.01]}
presets: {quick: {training.epochs: 1}}
"""
FACTORIAL = """\
# grid — which width?
experiments: [logistic, random_forest]
design: factorial
folds: [0, 1, 2]
axes: {data.window: [16, 32]}
presets: {quick: {training.epochs: 1}}
"""
SEARCH = """\
# mine — what is best?
experiment: cnn
design: search
seeds: [0]
folds: [0]
axes: {{model.channels: [4, 8, 16], training.learning_rate: {{low: 0.0005, high: 0.01, log: true}}}}
search: {search}
presets: {{quick: {{training.patience: 5}}}}
"""
GATE = "experiments: [logistic, cnn]\nfolds: [0]\npresets: {quick: {data.name: own, data.calibration_rows: 50, data.stride: 4, training.epochs: 2}}\n"
SMOKE = GATE.replace("[logistic, cnn]\n", "[logistic]\nseeds: [0, 1, 2, 3, 4, 5]\n")
CHECK = "check --golden golden.yaml --sweep smoke.yaml --against baseline.json --slots 1"
ONE_GPU_LESS = ("hardware.accelerator=cpu",)


def train(experiment: str, *keys: str, **keywords: object) -> Step:
    """One run."""
    return step(f"train {experiment}", *keys, **keywords)


def single(name: str, *steps: Step, own: bool = False, after: str = "") -> Case:
    """A case by its steps."""
    return Case(name, steps, own_data=own, after=after)


def search(text: str) -> tuple[tuple[str, str], ...]:
    """The file of a search."""
    return (("mine.yaml", SEARCH.format(search=text)),)


TRAINING = (
    *(single(f"train-skab-{name}", train(name, *SKAB)) for name in EXPERIMENTS),
    *(single(f"train-tiny-{name}", train(name, *SHORT, "data.world=3")) for name in EXPERIMENTS),
    single("train-base", train("base.yaml", *SKAB)),
    single("train-held-out-types", train("cnn", *SHORT, "data.split.policy=held_out_types")),
    single("train-blocked", train("lstm", *SKAB, "data.split.policy=blocked")),
    single(
        "train-neighbours",
        train("hybrid", *SHORT, "data.view=neighbours", "data.link_channels=false"),
    ),
    single("train-deviation", train("random_forest", *SKAB, "data.calibration=deviation")),
    single(
        "train-seed",
        train("cnn", *SKAB, "seed=1"),
        train("cnn", *SKAB, "seed=1"),
        step("ls runs --json"),
    ),
    single(
        "train-fold", train("cnn_lstm", *SHORT, "data.split.fold=1", "training.loss=cross_entropy")
    ),
    single(
        "train-fixed",
        train("logistic", *SHORT, "evaluation.threshold=fixed", "evaluation.fixed_threshold=0.4"),
    ),
    single(
        "train-budget",
        train("hybrid_causal", *SHORT, "evaluation.threshold=alarm_budget", "data.label=any"),
    ),
    single(
        "train-cleaning",
        train(
            "gradient_boosting",
            *SHORT,
            "data.quality.outliers=hampel",
            "data.quality.impute=zero",
            "data.mask_channel=false",
            "data.label_step=any",
        ),
    ),
    single(
        "train-lora",
        train(
            "autoencoder", *LORA, "training.epochs=1", "data.stride=16", "data.calibration_rows=20"
        ),
    ),
    *(
        single(
            f"train-{kind}",
            train(
                "random_forest",
                f"data.name={kind}",
                "data.stride=16",
                "data.calibration_rows=50",
                "data.scenario=deployment.nodes=10 deployment.cell_nodes=10 duration=12h sampling.period=60 incidents.per_node_day=20",
            ),
        )
        for kind in ("smart_city", "healthcare", "industrial")
    ),
    single(
        "train-lwsndr",
        train(
            "autoencoder",
            "data.name=lwsndr",
            "data.root={data}/lwsndr",
            "data.one_class=allow",
            "data.stride=16",
            "training.epochs=1",
        ),
    ),
    single(
        "train-ton-iot",
        train(
            "logistic",
            "data.name=ton_iot",
            "data.root={data}/ton_iot",
            "data.subset=fridge",
            "data.stride=64",
        ),
    ),
    single(
        "train-own-file",
        step("train mine.yaml", *SHORT, files=(("mine.py", MINE), ("mine.yaml", MINE_YAML))),
        step("ls runs --json"),
        step("show mine.yaml --json"),
    ),
    single("train-json", step("train cnn --json", *SKAB, "data.split.fold=2")),
    single(
        "train-two-devices",
        train(
            "hybrid",
            *SHORT,
            "model.dropout=0",
            "training.epochs=1",
            *ONE_GPU_LESS,
            "--devices",
            "2",
        ),
    ),
    single(
        "resume-network",
        train("hybrid", *SHORT, "training.epochs=6", until=("runs/*/*/progress.jsonl", 2)),
        train("hybrid", *SHORT, "training.epochs=6"),
        step("ls runs --json"),
    ),
    single(
        "resume-causal",
        train("hybrid_causal", *SHORT, "training.epochs=5", until=("runs/*/*/progress.jsonl", 1)),
        train("hybrid_causal", *SHORT, "training.epochs=5"),
    ),
    single(
        "killed", train("lstm", *SHORT, "training.epochs=6", until=("runs/*/*/progress.jsonl", 2))
    ),
    single(
        "old-continue",
        train("lstm", *SHORT, "training.epochs=6"),
        step("ls runs --json"),
        after="killed",
    ),
    single(
        "old-ls", step("ls runs --json"), step("ls runs"), step("ls --json"), after="train-own-runs"
    ),
    single(
        "train-own-runs",
        IMPORT,
        train("cnn", *OWN),
        train("logistic", *OWN),
        train("autoencoder", *OWN),
        own=True,
    ),
    single(
        "test-run",
        IMPORT,
        train("cnn", *OWN),
        step("test @runs/cnn/*"),
        step(
            "data import other.csv --name other --time time --series device --label attack",
            files=(("other.csv", devices(5)),),
        ),
        step("test @runs/cnn/* --json", "data.name=other"),
        own=True,
    ),
    single(
        "old-test",
        step("test @runs/cnn/* --json"),
        step("test @runs/logistic/* --json"),
        step("test @runs/autoencoder/*"),
        after="train-own-runs",
        own=True,
    ),
    single(
        "old-train-again",
        train("cnn", *OWN),
        train("logistic", *OWN),
        step("ls runs --json"),
        after="train-own-runs",
        own=True,
    ),
)

SMALL = (*WORLD, "data.stride=16", "--slots", "1", "--out", "report")

SWEEPS = (
    single(
        "sweep-plan",
        step("sweep small.yaml --plan --json", *SMALL, files=(("small.yaml", SWEEP),)),
        step("sweep small.yaml --plan", *SMALL),
        step("sweep small.yaml --print", *SMALL),
        step("sweep small.yaml --as wandb", *SMALL),
    ),
    single(
        "sweep",
        step("sweep small.yaml --format csv,md,html,latex", *SMALL, files=(("small.yaml", SWEEP),)),
        step("status --json"),
        step("status"),
        step("ls runs --json"),
        step("sweep small.yaml --plan --json", *SMALL),
        step("report --data smart_city --out two"),
    ),
    single(
        "sweep-factorial",
        step("sweep grid.yaml --json", *SMALL, files=(("grid.yaml", FACTORIAL),)),
        step("report grid --format csv --out two"),
    ),
    single(
        "sweep-only",
        step("sweep small.yaml --only 1,3", *SMALL, files=(("small.yaml", SWEEP),)),
        step("status --json"),
    ),
    single(
        "sweep-resume",
        step(
            "sweep small.yaml",
            *SMALL,
            "training.epochs=3",
            files=(("small.yaml", SWEEP),),
            until=("runs/*/*/progress.jsonl", 3),
        ),
        step("sweep small.yaml --format csv", *SMALL, "training.epochs=3"),
    ),
    single(
        "old-sweep",
        step("status --json"),
        step("status"),
        step("sweep small.yaml --plan --json", *SMALL),
        step("report small --out two"),
        step("report --data smart_city --out three --format csv"),
        after="sweep",
    ),
    single(
        "search-random",
        step(
            "sweep mine.yaml",
            *SHORT,
            "--slots",
            "1",
            "--out",
            "report",
            files=search("{trials: 3, sampler: random}"),
        ),
        step("sweep mine.yaml --plan --json", *SHORT),
        step("report mine --out two --format csv"),
        step("status --json"),
    ),
    single(
        "search-tpe",
        step(
            "sweep mine.yaml --json",
            *SHORT,
            "--slots",
            "1",
            "--out",
            "report",
            files=search("{trials: 4, pruner: median}"),
        ),
    ),
    single(
        "search-pareto",
        step(
            "sweep mine.yaml",
            *SHORT,
            "training.epochs=1",
            "--out",
            "report",
            "--slots",
            "1",
            files=search(
                "{trials: 3, sampler: random, objectives: [validation/average_precision, parameters]}"
            ),
        ),
    ),
    single(
        "old-search",
        step("sweep mine.yaml --trials 4", *SHORT, "--slots", "1", "--out", "report"),
        after="search-random",
    ),
    single(
        "reproduce-own",
        IMPORT,
        step(
            "reproduce --data own --models logistic,random_forest --out report --format csv",
            "data.split.folds=3",
            "data.split.policy=group",
            "data.calibration_rows=20",
            "data.stride=4",
        ),
        own=True,
    ),
    single(
        "reproduce-world",
        step(
            "reproduce --models logistic,cnn,autoencoder --out report --slots 1 --format md,csv",
            *WORLD,
            "data.stride=32",
            "training.epochs=1",
        ),
    ),
    single(
        "old-reproduce",
        step("report --format csv --out two"),
        step("ls runs --json"),
        after="reproduce-world",
    ),
    single(
        "check",
        IMPORT,
        step(f"{CHECK} --update first", files=(("golden.yaml", GATE), ("smoke.yaml", SMOKE))),
        step(f"{CHECK} --json --out out"),
        step(f"{CHECK} --only golden --experiments logistic"),
        step(f"{CHECK} --history --json"),
        step(f"{CHECK} --history --out history.svg"),
        own=True,
    ),
    single(
        "old-check",
        step(f"{CHECK} --only golden --json"),
        step(f"{CHECK} --only statistical --json"),
        after="check",
        own=True,
    ),
)
