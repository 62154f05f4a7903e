"""Training of the linear model alone, ``preset="instant"``: it needs neither Keras nor TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from skol_rnn.data.inputs import LabelledRows
from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import ClassWeights, resolve_weights
from skol_rnn.inference.predictor import Predictor
from skol_rnn.labels import NO_LABEL, plural
from skol_rnn.training.callbacks import Callbacks
from skol_rnn.training.fitting import Fitted, Fitting
from skol_rnn.training.split import Split
from skol_rnn.training.validation import Validation


class InstantFitting(Fitting):
    """One training of the linear model; the validation set, where there is one, decides as for a network."""

    kind = "linear"

    def run(
        self, split: Split, checkpoint: Path | None = None, strict: bool = False, callbacks: Callbacks | None = None
    ) -> Fitted:
        """Train on the training rows and fit the decoder; with ``refit`` train again, on the validation set too."""
        rows, class_weights = split.training, self._class_weights(split, strict)
        predictor, weights = self._trained(rows, class_weights)
        validation = None
        if split.validation is not None:
            how = self.of.monitor, self.of.important, self.of.unit
            validation = Validation(split.validation, predictor, *how)
        predictor, evaluation = self._decided(predictor, validation, rows.counts)
        if callbacks and evaluation:
            for function in callbacks.functions:
                function(1, evaluation)
        findings = self._findings(weights, rows.counts, evaluation, epochs=False)
        fitted = Fitted(predictor, None, class_weights, weights, rows.counts, {}, findings, evaluation)
        if not (self.of.refit and validation and len(split.all) > len(rows)):
            return fitted
        self.log.say(f"Refitting on all {plural(len(split.all.lengths), 'document')}, validation set included.")
        class_weights = resolve_weights(self.objective.class_weights, self.labels, split.all.counts)
        again, weights = self._trained(split.all, class_weights)
        again = replace(again, decoder=replace(predictor.decoder, correction=again.decoder.correction))
        return replace(
            fitted, predictor=again, class_weights=class_weights, weights=weights, counts=split.all.counts, refit=True
        )

    def _trained(self, rows: LabelledRows, class_weights: ClassWeights) -> tuple[Predictor, np.ndarray]:
        """Compute features and train; the decoder is not fitted yet."""
        lines, drawn, weights, decoder = self._weighed(rows, class_weights)
        given = lines.scaled_weights()
        learnt = (weights[lines.true] > 0) & (lines.true != NO_LABEL)
        # Weights shift the probabilities of a linear model by their ratio; training with them is less exact.
        shift = np.log(np.where(weights > 0, weights, 1.0))
        linear = self._linear_member(lines, shift, learnt * (1.0 if given is None else given))
        if linear is None:
            (only,) = np.flatnonzero(drawn)
            raise DataError(
                f"All training {self.of.unit}s have the label {self.labels.names[only]!r}: "
                "annotate documents with another label too."
            )
        self.log.say(
            f"[{self.kind}] {plural(len(lines.true), self.of.unit)} of {plural(len(lines.lengths), 'document')}, "
            f"{linear.n_parameters:,} parameters."
        )
        return Predictor(self.labels, self._features, None, None, decoder, linear), weights
