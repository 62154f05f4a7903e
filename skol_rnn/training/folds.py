"""Training with a second pass: networks of folds of documents predict what it is fitted to, and what the decision is fitted to."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.data.inputs import LabelledRows
from skol_rnn.data.splits import consecutive_folds
from skol_rnn.data.table import lengths_of
from skol_rnn.errors import DataError
from skol_rnn.evaluation.evaluate import score_rows
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.imbalance.class_weights import resolve_weights
from skol_rnn.imbalance.sampling import copies_with_originals
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.predictor import Predictor
from skol_rnn.inference.second_pass import LINES_IN_A_LEAF, SecondPass
from skol_rnn.labels import label_counts, plural
from skol_rnn.training.callbacks import Callbacks
from skol_rnn.training.checkpoint import stage_file
from skol_rnn.training.decision import fitted_decoder
from skol_rnn.training.fitting import Fitted, Fitting
from skol_rnn.training.settings import HOLD_OUT_FROM
from skol_rnn.training.split import Split
from skol_rnn.training.validation import Validation

_MOST_LABELS = 5  # columns and trees grow with the labels; measured for three
_LEAST_LINES = 5 * LINES_IN_A_LEAF  # of each label: rarer ones would have no leaf of their own


def training_folds(rows: LabelledRows, settings: Mapping[str, Any], given: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the rows of each fold; none where the data are too few for a second pass, unless folds were asked for."""
    n = settings["folds"]
    asked = given.get("folds") is not None
    present = rows.counts[rows.counts > 0]
    enough = len(rows) >= HOLD_OUT_FROM["line"] and len(present) <= _MOST_LABELS and (present >= _LEAST_LINES).all()
    if not n or not settings["linear_share"] or len(present) < 2 or not (asked or enough):
        return []
    names = rows.table[copies_with_originals(rows.table) or "doc_id"].to_numpy()
    folds = consecutive_folds(names, n)
    learnt = [rows.counts > label_counts(rows.true[fold], rows.n_labels) for fold in folds]  # from the other folds
    if len(folds) == n and all(labels[rows.counts > 0].all() for labels in learnt):
        return folds
    if asked:
        raise DataError(
            f"folds={n} needs at least {n} documents, and each label in two folds: annotate more documents, or set folds=0."
        )
    return []


class FoldedFitting(Fitting):
    """One training with a second pass; a validation set, where the caller gives one, still selects epoch and decision."""

    def __init__(self, settings: Mapping[str, Any], labels: Any, folds: Sequence[np.ndarray]) -> None:
        super().__init__(settings, labels)
        everything = np.arange(sum(map(len, folds)))
        self.folds = [(np.setdiff1d(everything, held), held) for held in folds]  # rows to train on, rows to predict

    @property
    def decoder_settings(self) -> dict[str, Any]:
        """The settings that the decoder is fitted by; offsets on top of a second pass lose on other volumes."""
        return {**self.settings, "decision": "corrected"} if self.of.decision == "auto" else self.settings

    def run(
        self, split: Split, checkpoint: Path | None = None, strict: bool = False, callbacks: Callbacks | None = None
    ) -> Fitted:
        """Train a network for each fold, the second pass on what they predict, and the network on all rows."""
        rows = split.training
        self._start(split, checkpoint)
        sources = [np.zeros((len(rows), len(self.labels))) for _ in range(2)]
        # First, before Keras takes its memory: the inputs of a linear model are large for a moment.
        members = [self._member(_part(rows, kept)) for kept, _ in self.folds]
        self.linear = self._member(rows)
        for i, ((kept, held), member) in enumerate(zip(self.folds, members, strict=True), 1):
            self.log.say(
                f"Fold {i} of {len(self.folds)}: {_size(rows, kept)} train a network, {_size(rows, held)} are predicted."
            )
            file = checkpoint and stage_file(checkpoint, f"fold{i}")
            found = self._of_fold(_part(rows, kept), _part(rows, held), member, file)
            for source, probabilities in zip(sources, found, strict=True):
                source[held] = probabilities
            gc.collect()  # a network refers to itself: without this, those of all folds are in memory
        self.second = SecondPass.fit(sources, rows.true, rows.lengths, self.of.random_state)
        self._rows, self._sources = rows, sources
        return self._fit(split, checkpoint, strict, callbacks or Callbacks())

    def _member(self, rows: LabelledRows) -> LinearMember | None:
        """Train the linear model of some rows."""
        fitting = Fitting({**self.settings, "verbosity": 0}, self.labels)
        class_weights = resolve_weights(self.objective.class_weights, self.labels, rows.counts)
        lines, _, _, decoder = fitting._weighed(rows, class_weights)
        return fitting._linear_member(lines, decoder.correction.logit_offsets())

    def _of_fold(
        self, rows: LabelledRows, held: LabelledRows, member: LinearMember | None, checkpoint: Path | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train a network, and return its posteriors and the linear model's of the rows that are held out."""
        fitting = Fitting({**self.settings, "ensemble_size": 1}, self.labels)
        fitting.run_id, fitting.linear = self.run_id, member
        class_weights = resolve_weights(self.objective.class_weights, self.labels, rows.counts)
        ready = fitting._prepare(rows, None, class_weights, bool(checkpoint), Callbacks())
        ready.train(self.log, checkpoint)
        return ready.predictor.sources(ready.predictor.features.transform(held.table), held.lengths)

    def _decided(
        self, predictor: Predictor, validation: Validation | None, counts: np.ndarray
    ) -> tuple[Predictor, Evaluation | None]:
        """Fit the decoder to the predictions of the folds, each with a second pass that was fitted to the others."""
        if validation is not None:
            return super()._decided(predictor, validation, counts)
        rows, linear = self._rows, predictor.linear
        assert linear is not None
        raw = np.zeros((len(rows), len(self.labels)))
        for kept, held in self.folds:
            others = _part(rows, kept)
            second = SecondPass.fit([p[kept] for p in self._sources], others.true, others.lengths, self.of.random_state)
            network, own = (p[held] for p in self._sources)
            raw[held] = linear.combined(network, own, _part(rows, held).lengths, second)
        decoder = fitted_decoder(predictor.decoder, raw, rows, self.labels, self.decoder_settings, self.log)
        decoder = self._with_held_out(decoder, raw, rows)
        predicted = decoder.decide(raw, rows.lengths, self.of.decision)
        evaluation = score_rows(rows, predicted, decoder.posterior(raw), self.labels, self.of.important, self.of.unit)
        self.log.say(
            f"Important F1 {evaluation.important_f1:.4f} on the documents of the folds, "
            "each predicted by a network that did not train on it."
        )
        return replace(predictor, decoder=decoder), evaluation


def _part(rows: LabelledRows, places: np.ndarray) -> LabelledRows:
    """Select rows that form whole documents."""
    table = rows.table.iloc[places].reset_index(drop=True)
    return LabelledRows(table, rows.true[places], lengths_of(table), rows.n_labels)


def _size(rows: LabelledRows, places: np.ndarray) -> str:
    documents = rows.table["doc_id"].iloc[places].nunique()
    return f"{plural(len(places), 'line')} of {plural(documents, 'document')}"
