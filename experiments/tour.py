# %% [markdown]
# # A tour of anomalynet in Python
#
# You know Lightning; this shows the rest in half a minute on two cores: data, a network with your
# own Trainer, scores as a table, a model of your own, stored runs, a sweep and a report.
# `python experiments/tour.py` runs it, `make tour` renews the notebook beside it.

# %%
import os
import tempfile
from pathlib import Path

import lightning as L
import matplotlib.pyplot as plt
import polars as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from anomalynet import (
    TelemetryDataModule,
    compare_runs,
    list_runs,
    open_run,
    run_sweep,
    train,
    write_report,
)
from anomalynet.models import Detector, Hybrid, Output

# %% [markdown]
# Everything is written below one folder: `TOUR=here python experiments/tour.py` names it, otherwise
# it is a temporary one.

# %%
folder = Path(os.environ.get("TOUR") or tempfile.mkdtemp(prefix="tour-"))
os.environ["ANOMALYNET_DATA"] = str(folder / "data")  # otherwise ./data
runs = folder / "runs"

# %% [markdown]
# ## Data
#
# A `LightningDataModule`, by keywords. The data here is a simulated sensor network: 12 nodes for
# 18 hours, with attacks and faults. `TelemetryDataModule(data="skab", root="SKAB", window=32)`
# reads real data from the folder `SKAB`. Whole nodes are held out for validation and test.
# `setup` reads and splits the data.

# %%
SCENARIO = (
    "deployment.nodes=12 deployment.cell_nodes=12 duration=18h sampling.period=60 "
    "incidents.quiet_hours=1 incidents.per_node_day=24 incidents.attack=3 incidents.subtle=2"
)
keywords = {"data": "smart_city", "worlds": None, "scenario": SCENARIO}
keywords |= {"split": "group", "folds": 3, "window": 32, "stride": 6, "calibration_rows": 50}
dm = TelemetryDataModule(**keywords)
dm.setup("fit")
batch = next(iter(dm.train_dataloader()))
print(dm.shape)
print("x", tuple(batch.x.shape), batch.x.dtype, "target", tuple(batch.target.shape))
for part in ("train", "validation", "test"):
    summary = dm.summary(part)
    print(f"{part}: {summary.windows} windows, {summary.attack} of {summary.steps} steps attacked")

# %% [markdown]
# ## A network and your own Trainer
#
# The network is a `LightningModule`; its options are keywords. It normalises with the statistics of
# the training part, and after each validation epoch chooses the threshold on the validation part.

# %%
L.seed_everything(0, verbose=False)
model = Hybrid(dm.shape, autoencoder_depth=2, head=32, learning_rate=0.002)
trainer = L.Trainer(
    max_epochs=4,
    accelerator="cpu",
    logger=CSVLogger(folder / "logs"),
    callbacks=[EarlyStopping("validation/loss", patience=2)],
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, dm)
tested = trainer.test(model, dm, verbose=False)[0]
for name in ("test/f1_attack", "test/auroc", "test/event_recall"):
    print(name, round(tested[name], 3))

# %%
logged = pl.read_csv(Path(trainer.logger.log_dir) / "metrics.csv")
losses = logged.group_by("epoch").agg(pl.col("^(train|validation)/loss$").drop_nulls().first())
print(losses.drop_nulls().sort("epoch"))

# %% [markdown]
# ## Scores
#
# `predict` gives the score of each test window; `score_table` puts them beside series, time, label
# and incident. It is a polars DataFrame, and `.to_pandas()` works where pandas is installed.

# %%
scores = dm.score_table(trainer.predict(model, dm))
print(scores.filter(pl.col("score").is_not_null()).head())

# %%
attacked = scores.filter(pl.col("label") == 1)
node = attacked["series"].value_counts(sort=True)["series"][0]
one = scores.filter(pl.col("series") == node)
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
axes.plot(one["time"], one["score"], linewidth=0.8, label="score")
axes.axhline(float(model.threshold), color="black", linestyle="--", label="threshold")
incidents = one.drop_nulls("incident").group_by("incident", "label")
incidents = incidents.agg(start=pl.col("time").min(), end=pl.col("time").max())
for row in incidents.iter_rows(named=True):
    colour = "tab:red" if row["label"] == 1 else "tab:grey"
    axes.axvspan(row["start"], row["end"], color=colour, alpha=0.25, linewidth=0)
axes.set(title=f"{node}: attacks red, other incidents grey", xlabel="time", ylabel="score")
axes.legend(loc="upper left")
plt.show()

# %% [markdown]
# ## From a checkpoint
#
# A checkpoint of Lightning holds weights, options, normalisation and threshold. `score` takes
# float32 windows (window, time, channel) in the units of the data and gives float32 (window,).

# %%
again = Hybrid.load_from_checkpoint(trainer.checkpoint_callback.best_model_path)
x = torch.from_numpy(dm.windows("test").gather([0, 1, 2]))
print(again.score(x), float(again.threshold))

# %% [markdown]
# ## A model of your own
#
# A subclass of `Detector` with a `forward` that returns two logits per window. Loss, threshold,
# metrics and scores come with it; override `configure_optimizers`, `losses` or `scores` to change
# them.


# %%
class Perceptron(Detector):
    """One hidden layer over the flattened window."""

    def __init__(self, shape, *, width=16, **options):
        super().__init__(shape, **options)
        inputs = self.shape.steps * self.shape.channels
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 2)
        )

    def forward(self, x: Tensor) -> Output:
        return Output(logits=self.layers(self.normalise(x)))


own = Perceptron(dm.shape, width=32)
quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
short = L.Trainer(
    max_epochs=2, accelerator="cpu", default_root_dir=folder, enable_checkpointing=False, **quiet
)
short.fit(own, dm)
print(own.parameter_count, "parameters, AUROC", short.test(own, dm, verbose=False)[0]["test/auroc"])

# %% [markdown]
# ## Runs
#
# `train` does what `anomalynet train` does: an experiment by name, keywords as above, and your
# callbacks and loggers beside ours. The run is stored; the same call again returns it at once.


# %%
class Epochs(L.Callback):
    """Counts the epochs of a fit."""

    count = 0

    def on_train_epoch_end(self, trainer, pl_module):
        self.count += 1


epochs = Epochs()
short_run = ["training.epochs=2", "model.head=32"]
outcome = train(
    "cnn",
    runs,
    overrides=short_run,
    callbacks=[epochs],
    logger=CSVLogger(folder / "logs", name="cnn"),
    **keywords,
)
other = train("logistic", runs, **keywords)
print(outcome.result.id, epochs.count, "epochs, F1", outcome.result.metrics["test/f1_attack"])

# %%
run = open_run(outcome.result.id, runs)
print(run.scores.filter(pl.col("alarm")).select("series", "time", "label", "score").head(3))
print(run.score(run.data.windows("test").gather([0, 1, 2])))

# %%
columns = ["experiment", "seed", "fold", "status", "test/f1_attack", "test/auroc"]
print(list_runs(runs).select(columns))

# %%
both = compare_runs(outcome.result.id, other.result.id, runs)
wanted = ["model.name", "test/f1_attack", "test/auroc"]
print(both.filter(pl.col("name").is_in(wanted)))

# %% [markdown]
# ## Sweeps
#
# A sweep is the list of runs that should exist; what exists is not trained again. It is known by
# name (`anomalynet ls sweeps`) or is a YAML file. `plan_only` says what would be trained.

# %%
planned = run_sweep("attention", preset="quick", runs=runs, plan_only=True)
print(planned.label, len(planned.jobs), "runs, for example:", planned.jobs[0].run.arm.name)

# %%
sweep = folder / "pooling.yaml"
sweep.write_text("""\
# pooling — how many steps may be merged before the network forgets?
experiment: cnn
folds: [0]
axes: {model.pool: [2, 4]}
""")
same = ["data.worlds=null", f"data.scenario={SCENARIO}"]
same += ["data.split.policy=group", "data.split.folds=3"]
same += ["data.stride=6", "data.calibration_rows=50", *short_run]
swept = run_sweep(sweep, overrides=same, runs=runs, out=folder / "sweep", slots=1)
print([(job.run.arm.name, job.was_done) for job in swept.jobs])
print(swept.count("done"), "done,", swept.failed, "failed, report:", swept.report.name)

# %% [markdown]
# ## Reports
#
# `write_report` takes a folder of runs, a table of `list_runs` or ids, and returns the path of
# `report.md`: tables, figures, and the paper's claims with *holds*, *does not hold*, *no evidence*.

# %%
chosen = list_runs(runs).filter(pl.col("id").is_in([outcome.result.id, other.result.id]))
report = write_report(chosen, folder / "report")
lines = report.read_text(encoding="utf-8").splitlines()
print(*[line for line in lines if line.startswith("## ")], sep="\n")
