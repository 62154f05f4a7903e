"""Further rounds of training while an important label is never predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.decoding.offsets import prior_offsets
from skol_rnn.inference.predictor import Predictor
from skol_rnn.labels import NO_LABEL, LabelSet, label_counts, plural
from skol_rnn.training.callbacks import Callbacks
from skol_rnn.training.checkpoint import stage_file
from skol_rnn.training.lines import TrainingLines
from skol_rnn.training.log import TrainingLog
from skol_rnn.training.loop import History, TrainingPlan
from skol_rnn.training.validation import Validation

_MOST_ROUNDS = 2
_SMALLER_STEPS = 0.5  # learning rate of each further round, as a share of the last
_CHECKED_LINES = 5_000
_LINES_NEEDED = 10  # of a label, in two documents: docs/learning_curve.md


class FurtherRounds:
    """Finds labels that are never predicted, and trains on in smaller steps until they are or the rounds are over."""

    def __init__(
        self,
        predictor: Predictor,
        validation: Validation | None,
        lines: TrainingLines,
        counts: np.ndarray,
        important: list[str],
        settings: Mapping[str, Any],
        callbacks: Callbacks,
    ) -> None:
        self.callbacks = callbacks
        self.predictor, self.validation, self.lines, self.counts = predictor, validation, lines, counts
        self.important, self.unit, self.min_updates = important, settings["unit"], settings["min_updates"]
        self.decision = "corrected" if settings["decision"] == "tuned" else settings["decision"]
        self.where = "validation documents" if validation else "training documents"

    def run(
        self,
        train: Callable[..., History],
        plan: TrainingPlan,
        history: History,
        batches: int,
        checkpoint: Path | None,
        log: TrainingLog,
    ) -> History:
        """Train on where necessary; return the history of all rounds."""
        labels = self.predictor.labels
        # For spans the offset of O, tuned after training, decides whether labels are predicted.
        needed = self.min_updates and not is_bio(labels) and not self.callbacks.stopped
        missing = self.never_predicted() if needed else []
        epochs = -(-self.min_updates // batches) if batches else 0
        for attempt in range(1, _MOST_ROUNDS + 1):
            if not missing or self.callbacks.stopped:
                return history
            log.say(
                f"Never predicted on the {self.where}: {_quoted(missing)}. "
                f"Training continues for {epochs} epochs in smaller steps."
            )
            rate = plan.learning_rate * _SMALLER_STEPS**attempt
            file = checkpoint and stage_file(checkpoint, f"more{attempt}")
            best = max(history.get(f"val_{plan.monitor}", [-math.inf]))
            further = replace(plan, epochs=epochs, learning_rate=rate, last_epoch=None, patience=epochs)
            more = train(further, checkpoint=file, best=best)
            history = {name: history.get(name, []) + values for name, values in more.items()}
            missing = self.never_predicted()
        if missing:
            updates = batches * len(history["loss"])
            log.warn(
                f"Still never predicted on the {self.where} after {updates:,} updates in {_MOST_ROUNDS + 1} rounds: "
                f"{_quoted(missing)}. {_examples_needed(missing, self.lines, labels, self.unit)}"
            )
        return history

    def never_predicted(self) -> list[str]:
        """Name the important labels that have lines in the checked documents but are never predicted there."""
        labels, decoder = self.predictor.labels, self.predictor.decoder
        if self.validation:
            true, lengths = self.validation.rows.true, self.validation.rows.lengths
            raw = self.validation.probabilities()
        else:
            lines = _rich_documents(self.lines)
            true, lengths = lines.true, lines.lengths
            raw = self.predictor.probabilities_of(lines.features, lengths)
            decoder = replace(decoder, offsets=prior_offsets(self.counts))
        predicted = np.bincount(decoder.decide(raw, lengths, self.decision), minlength=len(labels)) > 0
        present = label_counts(true, len(labels)) > 0
        wanted = present & (self.counts > 0) & ~predicted
        return [name for name in self.important if wanted[labels.index(name)]]


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _rich_documents(lines: TrainingLines) -> TrainingLines:
    """Take the training documents with the most lines of rare labels, up to some thousand lines."""
    lengths = np.asarray(lines.lengths)
    ends = np.cumsum(lengths)
    majority = int(np.argmax(np.bincount(lines.true[lines.true != NO_LABEL])))
    rare = np.append(0, np.cumsum((lines.true != NO_LABEL) & (lines.true != majority)))
    richest = np.argsort(-(rare[ends] - rare[ends - lengths]), kind="stable")
    chosen = richest[: int(np.searchsorted(np.cumsum(lengths[richest]), _CHECKED_LINES)) + 1]
    rows = np.concatenate([np.arange(ends[i] - lengths[i], ends[i]) for i in chosen])
    return lines.at(rows, lengths[chosen].tolist())


def _examples_needed(missing: list[str], lines: TrainingLines, labels: LabelSet, unit: str) -> str:
    """Say how many examples the labels have, and how many it takes."""
    document = np.repeat(np.arange(len(lines.lengths)), lines.lengths)
    seen, few = [], False
    for name in missing:
        rows = np.flatnonzero(lines.true == labels.index(name))
        documents = len(np.unique(document[rows]))
        few |= len(rows) < _LINES_NEEDED or documents < 2
        seen.append(f"{name!r} has {len(rows)} training {unit}s in {plural(documents, 'document')}")
    advice = (
        f"annotate more documents with it; a label needs about {_LINES_NEEDED} {unit}s in two documents "
        "(docs/learning_curve.md)."
        if few
        else f"raise min_updates or learning_rate, or check whether the words of such {unit}s differ from the others."
    )
    return f"{'; '.join(seen)}: {advice}"
