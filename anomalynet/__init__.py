"""IoT-AnomalyNet: experiments, ablations and honest evaluation for anomaly detection in IoT sensor
networks.

With a Trainer of your own, as in Lightning's own documentation; `data="smart_city"` is simulated
here, `data="skab", root="SKAB"` reads the files of a folder:

    import lightning as L
    from anomalynet import TelemetryDataModule
    from anomalynet.models import Hybrid

    L.seed_everything(0)                                        # the weights are drawn from it
    dm = TelemetryDataModule(data="smart_city", window=32, stride=8)
    model = Hybrid(dm.shape, autoencoder_depth=2)               # a LightningModule
    trainer = L.Trainer(max_epochs=5)
    trainer.fit(model, dm)                                      # also chooses the threshold
    trainer.test(model, dm)                                     # F1, AUROC … at that threshold
    scores = dm.score_table(trainer.predict(model, dm))         # a polars DataFrame

With ours, which stores a run, resumes it exactly and feeds the reports:

    from anomalynet import load_config, open_run, train

    outcome = train("hybrid", data="skab", root="SKAB", overrides=["training.epochs=5"])
    run = open_run(outcome.result.id)                           # .config, .result, .scores, .data
    x = run.data.windows("test").gather([0, 1, 2])              # float32 (window, time, channel)
    run.score(x)                                                # float64 (window,)

Sweeps and reports are functions as well, quiet unless `progress=True`:

    from anomalynet import compare_runs, list_runs, run_sweep, write_report

    run_sweep("attention", preset="quick")                      # .report, .jobs, .failed
    list_runs("runs")                                           # a polars DataFrame, one row a run
    compare_runs("3f2a", "90c1")                                # settings and metrics side by side
    write_report("runs", "reports/mine")

`help(TelemetryDataModule)`, `help(train)` and so on explain each; `help("anomalynet.models")` says
which networks there are and how to write one. `experiments/tour.ipynb` shows all of this at work.
Errors are the classes of `anomalynet.errors`. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalynet.config.load import load as load_config
    from anomalynet.data.datamodule import TelemetryDataModule
    from anomalynet.reporting.render import write_report
    from anomalynet.runs.collect import compare_runs, list_runs
    from anomalynet.sweep.runner import run_sweep
    from anomalynet.training.finished import evaluate_on, open_run
    from anomalynet.training.run import train

__version__ = "0.1.0"
__all__ = ["TelemetryDataModule", "__version__", "compare_runs", "evaluate_on", "list_runs"]
__all__ += ["load_config", "open_run", "run_sweep", "train", "write_report"]

_HOMES = {"load_config": "config.load", "TelemetryDataModule": "data.datamodule"}
_HOMES |= {"open_run": "training.finished", "evaluate_on": "training.finished"}
_HOMES |= {"train": "training.run", "run_sweep": "sweep.runner", "write_report": "reporting.render"}
_HOMES |= {"list_runs": "runs.collect", "compare_runs": "runs.collect"}
"""Public name → the module that it comes from."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from anomalynet.errors import meant

        raise AttributeError(f"module 'anomalynet' has no attribute {name!r}{meant(name, __all__)}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, "load" if name == "load_config" else name)
