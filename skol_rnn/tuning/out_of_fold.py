"""Train settings on folds of documents, and score every decision on the documents left out of each fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.decoding.calibration import fit_calibration
from skol_rnn.decoding.offsets import decide, metric_value
from skol_rnn.decoding.tuning import cross_tuned_offsets
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.inference.quiet import quiet_tensorflow
from skol_rnn.training.settings import INSTANT
from skol_rnn.tuning.task import Task


class OutOfFold(NamedTuple):
    """Cross-validated probabilities: each line's come from the network that did not train on its document."""

    raw: np.ndarray
    posterior: np.ndarray
    logit_offsets: np.ndarray


def train_folds(task: Task, settings: Mapping[str, Any], report: Callable[[int, int, float], None]) -> OutOfFold:
    """Train one network for each fold and predict the documents left out of it."""
    network = task.settings.get("preset") != INSTANT
    with quiet_tensorflow() if network else nullcontext():  # only now: all that can be checked is checked without it
        from skol_rnn.model import RNNSkolModel
    raw, posterior = np.zeros((2, len(task.table), len(task.labels)))
    offsets = []
    # Calibration and offsets are fitted across the folds afterwards, never on the fold that is scored.
    fixed = {"calibration": "none", "decision": "corrected", "verbosity": 0}
    for fold, (kept, held) in enumerate(task.folds):

        def callback(epoch: int, scores: Evaluation, fold: int = fold) -> None:
            report(fold, epoch, scores.history()[f"val_{task.metric}"])

        # One network ranks the settings as an ensemble with a second pass does, in a fraction of the time.
        smaller = {"ensemble_size": 1, "folds": 0} if network else {}
        model = RNNSkolModel(**{**smaller, **task.settings, **settings, **fixed})
        train, part = (task.table.iloc[rows].reset_index(drop=True) for rows in (kept, held))
        model.fit(train, labels=task.labels, validation=part, callback=callback)
        raw[held], posterior[held] = model.predict_proba(part, raw=True), model.predict_proba(part)
        offsets.append(model.decoder_.logit_offsets())
    return OutOfFold(raw, posterior, np.mean(offsets, axis=0))


def calibrated(found: OutOfFold, task: Task) -> np.ndarray:
    """Calibrate each fold's posteriors on the other folds."""
    result = np.empty_like(found.posterior)
    for kept, held in task.folds:
        calibration = fit_calibration(found.posterior[kept], task.true[kept], "cautious", found.logit_offsets)
        result[held] = calibration.apply(found.posterior[held])
    return result


def decisions(found: OutOfFold, posterior: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """Label every line by each decision; the offsets of a fold are tuned on the other folds."""
    tuned = np.empty(len(posterior), np.int64)
    how = (task.metric, task.important, found.logit_offsets)
    for kept, held in task.folds:
        choice = cross_tuned_offsets(posterior[kept], task.true[kept], task.labels, task.units[kept], *how)
        tuned[held] = decide(posterior[held], choice.offsets)
    return {"argmax": decide(found.raw), "corrected": decide(posterior), "tuned": tuned}


def score_decisions(decided: Mapping[str, np.ndarray], task: Task) -> dict[str, dict[str, Any]]:
    """Score each decision on all folds together."""
    result: dict[str, dict[str, Any]] = {}
    for name, predicted in decided.items():
        found = evaluate_labels(task.true, predicted, task.labels, important=task.important)
        by_label = {
            side: {label: float(getattr(found, side)[task.labels.index(label)]) for label in task.important}
            for side in ("precision", "recall")
        }
        score = metric_value(task.true, predicted, task.labels, task.metric, task.important)
        result[name] = {"score": score, **by_label}
    return result
