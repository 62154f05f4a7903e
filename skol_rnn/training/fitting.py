"""One training, from annotated rows to a predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.data.inputs import LabelledRows
from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.decoding.transitions import learn_transitions, only_legal
from skol_rnn.errors import DataError
from skol_rnn.evaluation.findings import Finding, diagnose, summary
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.features.families import make_features
from skol_rnn.imbalance.class_weights import (
    ClassWeights,
    cap_weights,
    count_drift,
    describe_weights,
    normalise_weights,
    resolve_weights,
)
from skol_rnn.imbalance.sampling import Sampling, sampling_shift
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.predictor import Predictor
from skol_rnn.inference.quiet import load_keras
from skol_rnn.inference.second_pass import SecondPass
from skol_rnn.inference.windowed import PredictionWindows
from skol_rnn.labels import LabelSet, label_counts, plural, rare_labels
from skol_rnn.training.callbacks import Callbacks
from skol_rnn.training.chain import fit_chain
from skol_rnn.training.checkpoint import check_place, check_run, fingerprint, run_id, stage_file
from skol_rnn.training.decision import decoder_without_validation, fitted_decoder, named_values
from skol_rnn.training.lines import TrainingLines, draw_rates, sample_lines
from skol_rnn.training.log import MOST_LABELS, TrainingLog
from skol_rnn.training.objective import Objective
from skol_rnn.training.sample_weights import weights_of
from skol_rnn.training.settings import HOLD_OUT_FROM
from skol_rnn.training.split import Split
from skol_rnn.training.validation import Validation
from skol_rnn.windows import cut_windows, shifted_windows

if TYPE_CHECKING:  # they load Keras
    from skol_rnn.network.build import NetworkSpec
    from skol_rnn.training.batches import WindowBatches
    from skol_rnn.training.loop import History, TrainingPlan
    from skol_rnn.training.rounds import FurtherRounds

_BAG_SIZE = 64


@dataclass
class Fitted:
    """The result of a training: predictor, class weights as given and as used, label counts, history, findings and scores."""

    predictor: Predictor
    spec: NetworkSpec | None  # None without a network
    class_weights: ClassWeights
    weights: np.ndarray
    counts: np.ndarray
    history: History
    findings: list[Finding]
    evaluation: Evaluation | None = None  # of the validation set
    refit: bool = False


class _Prepared(NamedTuple):
    """All that a training loop needs; the decoder is not fitted yet."""

    predictor: Predictor
    spec: NetworkSpec
    weights: np.ndarray
    batches: WindowBatches
    validation: Validation | None
    loop: partial[History]
    plan: TrainingPlan
    rounds: FurtherRounds

    def train(self, log: TrainingLog, checkpoint: Path | None, plan: TrainingPlan | None = None) -> History:
        """Run the loop, and further rounds where a label is never predicted; return the history of all."""
        plan = plan or self.plan
        history = self.loop(plan, checkpoint=checkpoint)
        return self.rounds.run(self.loop, plan, history, len(self.batches), checkpoint, log)


class Fitting:
    """One training with checked and resolved settings of ``RNNSkolModel``."""

    kind = "BiLSTM"  # in the log
    linear: LinearMember | None = None  # if it is trained already
    second: SecondPass | None = None

    def __init__(self, settings: Mapping[str, Any], labels: LabelSet) -> None:
        self.settings, self.labels = dict(settings), labels
        self.of = SimpleNamespace(**settings)
        self.objective = Objective.of(settings)
        self.log = TrainingLog(self.of.verbosity)
        self.run_id = ""

    @property
    def decoder_settings(self) -> dict[str, Any]:
        """The settings that the decoder is fitted by."""
        return self.settings

    def run(
        self, split: Split, checkpoint: Path | None = None, strict: bool = False, callbacks: Callbacks | None = None
    ) -> Fitted:
        """Train; with ``refit`` a second time, on the validation set too."""
        callbacks = callbacks or Callbacks()
        self._start(split, checkpoint)
        if not (self.of.refit and split.validation and len(split.all) > len(split.training)):
            return self._fit(split, checkpoint, strict, callbacks)
        selecting = Fitting({**self.settings, "ensemble_size": 1}, self.labels)
        selecting.run_id = self.run_id
        return self._refit(selecting._fit(split, checkpoint, strict, callbacks), split.all, checkpoint)

    def _start(self, split: Split, checkpoint: Path | None) -> None:
        """Check the files of a checkpoint before any work."""
        if checkpoint:
            check_place(checkpoint)
            self.run_id = run_id(self.settings, self.labels, split.training, split.validation)
            check_run(checkpoint, self.run_id)

    def _fit(self, split: Split, checkpoint: Path | None, strict: bool, callbacks: Callbacks) -> Fitted:
        """Train on the training rows; the validation set selects epoch and decoder."""
        rows, class_weights = split.training, self._class_weights(split, strict)
        ready = self._prepare(rows, split.validation, class_weights, bool(checkpoint), callbacks)
        history = ready.train(self.log, checkpoint)
        predictor, evaluation = self._decided(ready.predictor, ready.validation, rows.counts)
        weights, windows = ready.weights, ready.batches.windows
        findings = self._findings(
            weights,
            rows.counts,
            evaluation,
            history=history,
            padding_share=float(1.0 - windows.mask.mean()) if len(windows) else None,
            updates=len(ready.batches) * len(history["loss"]),
        )
        return Fitted(predictor, ready.spec, class_weights, weights, rows.counts, history, findings, evaluation)

    def _refit(self, selected: Fitted, rows: LabelledRows, checkpoint: Path | None) -> Fitted:
        """Train on all rows for the selected number of epochs; calibration and offsets stay the selected ones."""
        scores = selected.history.get(f"val_{self.of.monitor}")
        last = int(np.argmax(scores)) + 1 if scores else len(selected.history["loss"])
        self.log.say(f"Refitting on all {plural(len(rows.lengths), 'document')}, validation set included.")
        class_weights = resolve_weights(self.objective.class_weights, self.labels, rows.counts)
        ready = self._prepare(rows, None, class_weights, bool(checkpoint), Callbacks())
        second = checkpoint and stage_file(checkpoint, "refit")
        history = ready.train(self.log, second, replace(ready.plan, last_epoch=last))
        decoder = replace(selected.predictor.decoder, correction=ready.predictor.decoder.correction)
        return replace(
            selected,
            predictor=replace(ready.predictor, decoder=decoder),
            spec=ready.spec,
            class_weights=class_weights,
            weights=ready.weights,
            counts=rows.counts,
            history={**selected.history, "refit_loss": history["loss"]},
            refit=True,
        )

    def _prepare(
        self,
        rows: LabelledRows,
        validation_rows: LabelledRows | None,
        class_weights: ClassWeights,
        resumable: bool,
        callbacks: Callbacks,
    ) -> _Prepared:
        """Compute features, weights and batches, build network and loss."""
        load_keras()
        from skol_rnn.inference.keras_runner import KerasRunner
        from skol_rnn.network.build import build_network, training_model
        from skol_rnn.training.loop import TrainingPlan, train
        from skol_rnn.training.rounds import FurtherRounds

        lines, drawn, weights, decoder = self._weighed(rows, class_weights)
        counts = rows.counts
        spec = self._spec(lines)
        runner = KerasRunner(build_network(spec, self.objective.starting_bias(weights, counts, drawn)))
        linear = self.linear or (
            self._linear_member(lines, decoder.correction.logit_offsets()) if self.of.linear_share else None
        )
        windows = PredictionWindows.of(self.settings)
        predictor = Predictor(self.labels, self._features, runner, windows, decoder, linear, self.second)
        validation = None
        if validation_rows is not None:
            validation = Validation(validation_rows, predictor, self.of.monitor, self.of.important, self.of.unit)
        batches = self._batches(lines, spec.n_outputs)
        self.log.say(
            f"[{self.kind}] {plural(len(lines.true), self.of.unit)} of {plural(len(lines.lengths), 'document')}, "
            f"{plural(len(batches.windows), 'window')} of {self.of.window_size}, {plural(len(batches), 'update')} an epoch, "
            f"{runner.network.count_params():,} parameters."
        )
        important = list(self.of.important or rare_labels(counts, self.labels))
        lazy = len(lines.true) >= HOLD_OUT_FROM[self.of.unit]  # docs/experiments.md
        plan = TrainingPlan(self.of.epochs, self.of.learning_rate, self.of.monitor, self.of.patience, lazy=lazy)
        loop = partial(
            train,
            training_model(runner.network, spec),
            self.objective.build(weights, counts, self.labels, important),
            batches,
            log=self.log,
            score=partial(validation.evaluate_epoch, self.of.decision) if validation else None,
            fingerprint=fingerprint(self.run_id, self.settings, lines, class_weights, weights) if resumable else "",
            callbacks=callbacks,
        )
        rounds = FurtherRounds(predictor, validation, lines, counts, important, self.settings, callbacks)
        return _Prepared(predictor, spec, weights, batches, validation, loop, plan, rounds)

    # -- parts of a training ------------------------------------------------------------------------------

    def _class_weights(self, split: Split, strict: bool) -> ClassWeights:
        """Resolve the class weights; report saved ones whose counts fit neither the training rows nor all rows."""
        if not split.training.counts.any():
            raise DataError("No training line has a label: annotate more documents, or set validation_fraction=0.")
        class_weights = resolve_weights(self.objective.class_weights, self.labels, split.training.counts)
        drift = count_drift(class_weights, split.training.counts, self.labels)
        drift = drift and count_drift(class_weights, split.all.counts, self.labels)
        if drift and strict:
            raise DataError(
                f"The saved class weights do not fit these data: {'; '.join(drift)}. "
                "Compute them again, or train without strict."
            )
        for sentence in drift:
            self.log.warn(sentence)
        return class_weights

    def _decided(
        self, predictor: Predictor, validation: Validation | None, counts: np.ndarray
    ) -> tuple[Predictor, Evaluation | None]:
        """Fit the decoder on the validation set and score it there; without one, derive it from the label counts."""
        decoder = predictor.decoder
        if validation is None:
            decoder = decoder_without_validation(decoder, counts, self.labels, self.of.decision, self.log)
            return replace(predictor, decoder=decoder), None
        raw = validation.probabilities()
        decoder = fitted_decoder(decoder, raw, validation.rows, self.labels, self.decoder_settings, self.log)
        decoder = self._with_held_out(decoder, raw, validation.rows)
        return replace(predictor, decoder=decoder), validation.evaluate(raw, decoder, self.of.decision)

    def _with_held_out(self, decoder: Decoder, raw: np.ndarray, rows: LabelledRows) -> Decoder:
        """Return the decoder with predictions of rows that the network was not trained on."""
        if self.of.unit != "line":
            return decoder
        return replace(
            decoder, held_out=HeldOut.of(decoder.posterior(raw), rows.true, rows.lengths, self.of.random_state)
        )

    def _weighed(
        self, rows: LabelledRows, class_weights: ClassWeights
    ) -> tuple[TrainingLines, np.ndarray, np.ndarray, Decoder]:
        """Return lines after sampling, their label counts, the weights as used, and a decoder that is not fitted yet."""
        lines = self._lines(rows)
        drawn = label_counts(lines.true, len(self.labels))
        weights = self._used_weights(class_weights, drawn)
        return lines, drawn, weights, self._unfitted_decoder(rows, weights, drawn)

    def _lines(self, rows: LabelledRows) -> TrainingLines:
        """Compute the features of the training lines, and sample documents."""
        self._features = make_features(
            self.of.features,
            input_size=self.of.input_size,
            features_col=self.of.features_col,
            seed=self.of.random_state,
            unit=self.of.unit,
            vectors=self.of.vectors,
            vector_layers=self.of.vector_layers,
        )
        features = self._features.fit_transform(rows.table)
        lines = TrainingLines(features, rows.true, rows.lengths, weights_of(rows.table))
        return sample_lines(lines, rows.table, Sampling.parse(self.of.sampling))

    def _used_weights(self, class_weights: ClassWeights, counts: np.ndarray) -> np.ndarray:
        """Cap the weights at the ratio of the counts and scale them to a mean of 1 over the training lines."""
        given = class_weights.vector(self.labels)
        weighted = self.objective.class_weights is not None
        if weighted:
            lines = describe_weights(given, self.labels, self.kind)
            if len(self.labels) > MOST_LABELS and self.of.verbosity < 2:
                lines = [f"{lines[0]} {named_values(given, self.labels, '.4g')}."]
            for line in lines:
                self.log.say(line)
        if self.objective.loss != "cross_entropy":
            self.log.say(f"Loss: {self.objective.describe()}.")
        capped, changed = cap_weights(given, counts)
        if len(changed):
            named = [f"{self.labels.names[i]} {given[i]:g} -> {capped[i]:.4g}" for i in changed]
            kept = len(named) if self.of.verbosity > 1 or len(named) <= MOST_LABELS else MOST_LABELS
            more = f" and {len(named) - kept} more" if kept < len(named) else ""
            self.log.say(f"Class weights are capped at the ratio of the label counts: {', '.join(named[:kept])}{more}.")
        # A mean of 1: multiplying all weights by ten changes nothing.
        scaled = normalise_weights(capped, counts)
        if weighted:
            self.log.say(
                f"Rescaled to a mean of 1 over the training lines: {named_values(scaled, self.labels, '.4g')}."
            )
        return scaled

    def _unfitted_decoder(self, rows: LabelledRows, weights: np.ndarray, drawn: np.ndarray) -> Decoder:
        """Undo weights, loss and sampling; calibration and offsets are fitted after training."""
        n_labels = len(self.labels)
        transitions = learn_transitions(rows.true, rows.lengths, n_labels)
        return Decoder(
            self.objective.correction(weights, rows.counts, sampling_shift(rows.counts, drawn)),
            np.zeros(n_labels),
            only_legal(transitions, self.labels) if is_bio(self.labels) else transitions,
            Calibration(1.0, np.zeros(n_labels)),
            names=self.labels.names,
        )

    def _spec(self, lines: TrainingLines) -> NetworkSpec:
        from skol_rnn.network.build import NetworkSpec

        ids, numbers = lines.features
        features = self._features
        char_slots, context_slots = features.characters, features.context_slots
        return NetworkSpec(
            n_labels=len(self.labels),
            numbers_size=numbers.shape[1],
            vocabulary_size=features.vocabulary_size,
            slots=ids.shape[1] - context_slots - char_slots,
            input_size=self.of.input_size or _BAG_SIZE,
            line_size=self.of.line_size,
            hidden_size=self.of.hidden_size,
            num_layers=self.of.num_layers,
            dropout=self.of.dropout,
            feature_dropout=self.of.feature_dropout,
            seed=self.of.random_state,
            ensemble_size=self.of.ensemble_size,
            char_slots=char_slots,
            alphabet_size=features.alphabet_size,
            context_slots=context_slots,
            context_vocabulary_size=features.context_vocabulary_size,
            linear_part=False,  # a chain does better (docs/experiments.md)
        )

    def _linear_member(
        self, lines: TrainingLines, logit_offsets: np.ndarray, weights: np.ndarray | None = None
    ) -> LinearMember | None:
        """Train the linear model: of lines and their neighbours, or a chain of tokens."""
        features = self._features
        fit = fit_chain if self.of.unit == "token" else LinearMember.fit
        return fit(
            features.in_one_bag(lines.features),
            lines.true,
            lines.lengths,
            n_labels=len(self.labels),
            vocabulary_size=features.vocabulary_size + features.context_vocabulary_size,
            share=self.of.linear_share,
            logit_offsets=logit_offsets,
            seed=self.of.random_state,
            weights=lines.scaled_weights() if weights is None else weights,
        )

    def _batches(self, lines: TrainingLines, n_outputs: int) -> WindowBatches:
        from skol_rnn.training.batches import WindowBatches

        window, stride, sampling = self.of.window_size, self.of.stride, Sampling.parse(self.of.sampling)
        return WindowBatches(
            lines.features,
            lines.true,
            len(self.labels),
            cut_windows(lines.lengths, window, stride),
            self.of.batch_size,
            self.of.random_state,
            partial(draw_rates, true=lines.true, labels=self.labels, sampling=sampling),
            n_outputs,
            lines.scaled_weights(),
            partial(shifted_windows, lines.lengths, window, stride) if stride == window else None,
        )

    def _findings(
        self, weights: np.ndarray, counts: np.ndarray, evaluation: Evaluation | None, **of_network: Any
    ) -> list[Finding]:
        given = self.of.class_weights
        found = diagnose(
            labels=self.labels,
            evaluation=evaluation,
            weights=weights,
            counts=counts,
            given=given if isinstance(given, Mapping) else None,
            decision=self.of.decision,
            unit=self.of.unit,
            **of_network,
        )
        for line in summary(found):
            self.log.warn(line)
        return found
