"""The scikit-learn baselines, and what they share: scores in chunks of bounded memory, and storage
without pickle. Which ones is not in the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt
from sklearn import ensemble
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.statistics import statistics
from anomalynet.data.windows import WindowShape
from anomalynet.errors import RunError
from anomalynet.models.window_model import WindowModel, complete
from anomalynet.runs.files import write_bytes

CHUNK = 8192  # windows scored at a time: 32 steps × 8 channels are 8 MiB

TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""What a stored model may hold beside the types that skops itself trusts: the trees."""


class Classical(WindowModel):
    """A scikit-learn estimator on window statistics; a model is a subclass with an `estimator`, and
    what it changes of the rest. `config.model` is the model's own dataclass. One thread, and the
    run's seed as `random_state`: the same run gives the same model on any machine.

    `RandomForest(dm.shape, trees=50)`, or a run's configuration and the shape.

    Source: abstract ("traditional machine learning methods"); which ones is not in the paper.
    """

    uses_trainer: ClassVar[bool] = False
    suffix: ClassVar[str] = ".skops"
    tree_windows: ClassVar[int | None] = None  # most windows that a tree of a forest is grown on

    def __init__(
        self,
        shape: WindowShape | Config,
        config: Config | WindowShape | None = None,
        **options: Any,
    ) -> None:
        self.config, self.shape = complete(type(self), shape, config, options)
        self.threshold = np.inf
        """Score from which a step is an attack, chosen on validation; infinite until then. Stored
        with the model."""
        self.fitted: Any = None

    def estimator(self, seed: int) -> Any:
        """The unfitted scikit-learn estimator."""
        raise NotImplementedError

    def fit(
        self, features: npt.NDArray[np.float32], target: npt.NDArray[np.integer], seed: int
    ) -> None:
        """Learns from window statistics (n, features) and targets (n,): 1 attack, 0 normal."""
        estimator = self.estimator(seed)
        if self.tree_windows is not None:
            estimator.set_params(max_samples=min(self.tree_windows, len(features)))
        with threadpool_limits(1):
            self.fitted = estimator.fit(features, target)

    def score_array(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Scores (n,) of windows x (n, time, channel): the larger, the more an attack."""
        parts = (x[start : start + CHUNK] for start in range(0, len(x), CHUNK))
        with threadpool_limits(1):
            chunks = [self.scores(statistics(part)) for part in parts]
        return np.concatenate([np.empty(0), *chunks]).astype(np.float64)

    score = score_array

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """Scores (n,) of window statistics (n, features): the probability of attack, where the
        model has one."""
        return np.asarray(self.fitted.predict_proba(features)[:, 1])

    def set_threshold(self, limit: float) -> None:
        self.threshold = limit

    def save(self, path: Path) -> None:
        from skops.io import dumps

        write_bytes(path, dumps({"fitted": self.fitted, "threshold": float(self.threshold)}))

    def load(self, path: Path) -> None:
        from skops.io import load

        try:
            state = load(path, trusted=list(TRUSTED))
            fitted, threshold = state["fitted"], float(state["threshold"])
        except Exception as error:  # what is wrong with a skops archive shows in many ways
            what = f"{path}: not a stored {self.config.model.name} model: {error}"
            raise RunError(what, "train it again") from error
        expected = type(self.estimator(0))
        if type(fitted) is not expected:
            what = f"a {self.config.model.name} model is a {expected.__name__}"
            raise RunError(f"{path}: holds a {type(fitted).__name__}, {what}")
        self.fitted, self.threshold = fitted, threshold


class Logistic(Classical):
    """L2-penalised logistic regression, statistics standardised by the training part.

    Source: not in the paper.
    """

    config_type = configs.Logistic

    def estimator(self, seed: int) -> Pipeline:
        strength = cast("configs.Logistic", self.config.model).strength
        # to the optimum itself: where another solver stops depends on the processor
        regression = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-8)
        return make_pipeline(StandardScaler(), regression)

    def fit(
        self, features: npt.NDArray[np.float32], target: npt.NDArray[np.integer], seed: int
    ) -> None:
        """See `Classical.fit`; in double precision."""
        super().fit(features.astype(np.float64), target, seed)

    @property
    def parameter_count(self) -> int:
        regression: Any = self.fitted[-1]
        return int(regression.coef_.size + regression.intercept_.size)


class RandomForest(Classical):
    """scikit-learn's defaults but for the number of trees, and for the windows that each is grown
    on: at most `tree_windows`, drawn with replacement.

    Source: not in the paper.
    """

    config_type: ClassVar[type[configs.ModelConfig]] = configs.RandomForest
    forest: ClassVar[type[Any]] = ensemble.RandomForestClassifier
    tree_windows: ClassVar[int | None] = 5000  # of 20,000 they rank no better, in 3.6 times as long

    def fit(
        self, features: npt.NDArray[np.float32], target: npt.NDArray[np.integer], seed: int
    ) -> None:
        """See `Classical.fit`; a tree reads columns, which lie together for it."""
        super().fit(np.asfortranarray(features), target, seed)

    def estimator(self, seed: int) -> Any:
        trees = cast("configs.RandomForest", self.config.model).trees
        return self.forest(n_estimators=trees, n_jobs=1, random_state=seed)

    @property
    def parameter_count(self) -> int:
        return sum(tree.tree_.node_count for tree in self.fitted.estimators_)


class IsolationForest(RandomForest):
    """scikit-learn's defaults but for the number of trees: a detector that needs no label; its
    score is between 0 and 1 and no probability.

    Source: not in the paper.
    """

    config_type: ClassVar[type[configs.ModelConfig]] = configs.IsolationForest
    forest: ClassVar[type[Any]] = ensemble.IsolationForest
    tree_windows: ClassVar[int | None] = None  # scikit-learn's own: 256
    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "not_attack"
    probability: ClassVar[bool] = False

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """Scores (n,) of window statistics (n, features): the fewer cuts isolate a window, the
        larger."""
        return np.asarray(-self.fitted.score_samples(features))


class GradientBoosting(Classical):
    """scikit-learn's histogram gradient boosting by its defaults, but a fixed number of rounds: its
    early stopping would hold windows out at random.

    Source: not in the paper.
    """

    config_type = configs.GradientBoosting

    def estimator(self, seed: int) -> ensemble.HistGradientBoostingClassifier:
        rounds = cast("configs.GradientBoosting", self.config.model).iterations
        settings = {"max_iter": rounds, "early_stopping": False, "random_state": seed}
        return ensemble.HistGradientBoostingClassifier(**settings)

    @property
    def parameter_count(self) -> int:
        return sum(len(tree.nodes) for trees in self.fitted._predictors for tree in trees)
