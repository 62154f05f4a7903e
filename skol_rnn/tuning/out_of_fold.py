"""Train settings on folds of documents, and score every decision on what was held out of each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.decoding.calibration import fit_scaling
from skol_rnn.decoding.offsets import decide, metric_value
from skol_rnn.decoding.tuning import cross_tuned_offsets
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel

DECISIONS = ("argmax", "corrected", "tuned")
Folds = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class OutOfFold:
    """What the networks of all folds say of the documents each has not trained on."""

    raw: np.ndarray
    posterior: np.ndarray
    tilt: np.ndarray
    fold: np.ndarray


def train_folds(
    table: pd.DataFrame,
    folds: Folds,
    labels: LabelSet,
    settings: Mapping[str, Any],
    report: Callable[[int, int, float], None],
    monitor: str,
) -> OutOfFold:
    """Train one network a fold."""
    shape = (len(table), len(labels))
    raw, posterior, fold_of = np.zeros(shape), np.zeros(shape), np.zeros(len(table), np.int64)
    tilts = []
    key = f"val_{monitor}"

    def watch(fold: int, epoch: int, scores: Any) -> None:
        report(fold, epoch, scores.history()[key])

    for fold, (kept, held) in enumerate(folds):
        # Calibration and offsets are found across the folds afterwards, never on the fold that is scored.
        trial = {"calibration": "none", "decision": "corrected", "verbosity": 0}
        # One member ranks the settings as several do, in a fraction of the time.
        model = RNNSkolModel(**{"members": 1, **settings, **trial})
        model.fit(
            table.iloc[kept].reset_index(drop=True),
            labels=list(labels),
            validation=table.iloc[held].reset_index(drop=True),
            watch=functools.partial(watch, fold),
        )
        part = table.iloc[held].reset_index(drop=True)
        raw[held] = model.predict_proba(part, raw=True)
        posterior[held] = model.predict_proba(part)
        tilts.append(model.decoder_.tilt())
        fold_of[held] = fold
    return OutOfFold(raw, posterior, np.mean(tilts, axis=0), fold_of)


def calibrated(found: OutOfFold, true: np.ndarray) -> np.ndarray:
    """Calibrate each fold's posteriors on the other folds."""
    result = np.empty_like(found.posterior)
    for fold in np.unique(found.fold):
        held = found.fold == fold
        scaling = fit_scaling(found.posterior[~held], true[~held], "cautious", found.tilt)
        result[held] = scaling.apply(found.posterior[held])
    return result


def decisions(
    found: OutOfFold,
    posterior: np.ndarray,
    true: np.ndarray,
    labels: LabelSet,
    documents: np.ndarray,
    metric: str,
    important: Sequence[str],
) -> dict[str, np.ndarray]:
    """Decide every line in each way, with offsets that were tuned on the other folds."""
    tuned = decide(posterior)
    for fold in np.unique(found.fold):
        held = found.fold == fold
        offsets = cross_tuned_offsets(
            posterior[~held], true[~held], labels, documents[~held], metric, important, found.tilt
        ).offsets
        tuned[held] = decide(posterior[held], offsets)
    return {"argmax": decide(found.raw), "corrected": decide(posterior), "tuned": tuned}


def score_decisions(
    decided: Mapping[str, np.ndarray], true: np.ndarray, labels: LabelSet, metric: str, important: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Score each decision on all folds together."""
    result: dict[str, dict[str, Any]] = {}
    for name, predicted in decided.items():
        evaluation = evaluate_labels(true, predicted, labels, important=important)
        by_label = {
            key: {label: float(getattr(evaluation, key)[labels.index(label)]) for label in important}
            for key in ("precision", "recall", "f1")
        }
        result[name] = {"score": metric_value(true, predicted, labels, metric, important), **by_label}
    return result
