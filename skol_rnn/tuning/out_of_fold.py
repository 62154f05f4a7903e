"""Train settings on folds of documents, and score every decision on the documents left out of each fold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.decoding.calibration import fit_calibration
from skol_rnn.decoding.offsets import decide, metric_value
from skol_rnn.decoding.tuning import cross_tuned_offsets
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.model import RNNSkolModel
from skol_rnn.tuning.task import Task


@dataclass(frozen=True)
class OutOfFold:
    """Cross-validated probabilities: each line's come from the network that did not train on its document."""

    raw: np.ndarray
    posterior: np.ndarray
    logit_offsets: np.ndarray
    fold: np.ndarray


def train_folds(task: Task, settings: Mapping[str, Any], report: Callable[[int, int, float], None]) -> OutOfFold:
    """Train one network for each fold and predict the documents left out of it."""
    shape = (len(task.table), len(task.labels))
    raw, posterior, fold_of = np.zeros(shape), np.zeros(shape), np.zeros(len(task.table), np.int64)
    offsets = []

    def callback(fold: int, epoch: int, scores: Any) -> None:
        report(fold, epoch, scores.history()[f"val_{task.metric}"])

    # Calibration and offsets are fitted across the folds afterwards, never on the fold that is scored.
    fixed = {"calibration": "none", "decision": "corrected", "verbosity": 0}
    for fold, (kept, held) in enumerate(task.folds):
        # One network ranks the settings as an ensemble does, in a fraction of the time.
        model = RNNSkolModel(**{"ensemble_size": 1, **task.settings, **settings, **fixed})
        train, part = (task.table.iloc[rows].reset_index(drop=True) for rows in (kept, held))
        model.fit(train, labels=list(task.labels), validation=part, callback=functools.partial(callback, fold))
        raw[held] = model.predict_proba(part, raw=True)
        posterior[held] = model.predict_proba(part)
        offsets.append(model.decoder_.logit_offsets())
        fold_of[held] = fold
    return OutOfFold(raw, posterior, np.mean(offsets, axis=0), fold_of)


def calibrated(found: OutOfFold, true: np.ndarray) -> np.ndarray:
    """Calibrate each fold's posteriors on the other folds."""
    result = np.empty_like(found.posterior)
    for fold in np.unique(found.fold):
        held = found.fold == fold
        calibration = fit_calibration(found.posterior[~held], true[~held], "cautious", found.logit_offsets)
        result[held] = calibration.apply(found.posterior[held])
    return result


def decisions(found: OutOfFold, posterior: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """Label every line by each decision; the offsets of a fold are tuned on the other folds."""
    tuned = np.empty(len(posterior), np.int64)
    how = (task.metric, task.important, found.logit_offsets)
    for fold in np.unique(found.fold):
        held = found.fold == fold
        choice = cross_tuned_offsets(posterior[~held], task.true[~held], task.labels, task.units[~held], *how)
        tuned[held] = decide(posterior[held], choice.offsets)
    return {"argmax": decide(found.raw), "corrected": decide(posterior), "tuned": tuned}


def score_decisions(decided: Mapping[str, np.ndarray], task: Task) -> dict[str, dict[str, Any]]:
    """Score each decision on all folds together."""
    result: dict[str, dict[str, Any]] = {}
    for name, predicted in decided.items():
        found = evaluate_labels(task.true, predicted, task.labels, important=task.important)
        precision, recall = (
            {label: float(values[task.labels.index(label)]) for label in task.important}
            for values in (found.precision, found.recall)
        )
        score = metric_value(task.true, predicted, task.labels, task.metric, task.important)
        result[name] = {"score": score, "precision": precision, "recall": recall}
    return result
