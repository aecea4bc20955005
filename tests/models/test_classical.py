"""The scikit-learn baselines: what they count, what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from anomalynet.data.statistics import statistics
from anomalynet.errors import RunError
from anomalynet.models import classical as module
from tests.models.examples import classical, windows

X, TARGET = windows()
FEATURES = statistics(X.numpy())


def test_the_random_forest_is_scikit_learns() -> None:
    model = classical("random_forest", seed=7)
    model.fit(FEATURES, TARGET.numpy(), 7)
    reference = RandomForestClassifier(20, random_state=7).fit(FEATURES, TARGET.numpy())
    assert np.array_equal(model.score(X.numpy()), reference.predict_proba(FEATURES)[:, 1])
    assert model.parameter_count == sum(tree.tree_.node_count for tree in reference.estimators_)


def test_logistic_regression_has_a_coefficient_a_statistic_and_an_intercept() -> None:
    model = classical("logistic")
    model.fit(FEATURES, TARGET.numpy(), 0)
    assert model.parameter_count == 12 * 8 + 1


def test_an_isolation_forest_needs_no_label_and_finds_bursts() -> None:
    model = classical("isolation_forest")
    model.fit(FEATURES[TARGET == 0], np.full(32, -1), 0)
    scores = model.score(X.numpy())
    assert scores[TARGET == 1].mean() > scores[TARGET == 0].mean()


def test_chunks_do_not_change_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    model = classical("gradient_boosting")
    model.fit(FEATURES, TARGET.numpy(), 0)
    whole = model.score(X.numpy())
    monkeypatch.setattr(module, "CHUNK", 7)
    assert np.array_equal(model.score(X.numpy()), whole)


def test_a_file_that_holds_no_such_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with pytest.raises(RunError, match="not a stored logistic model"):
        classical("logistic").load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(RunError, match="not a stored logistic model"):
        classical("logistic").load(path)
    forest = classical("random_forest")
    forest.fit(FEATURES, TARGET.numpy(), 0)
    forest.save(path)
    with pytest.raises(RunError, match="a RandomForestClassifier, a logistic model is a Pipeline"):
        classical("logistic").load(path)
