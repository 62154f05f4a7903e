"""One training, from annotated tables to a labeller: where the stages are joined."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skol_rnn.data.columns import lengths_of
from skol_rnn.data.splits import document_folds
from skol_rnn.decoding.calibration import Scaling
from skol_rnn.decoding.constraints import is_bio, only_legal
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import prior_offsets
from skol_rnn.decoding.transitions import learn_transitions
from skol_rnn.errors import DataError
from skol_rnn.evaluation.findings import Finding, diagnose, summary
from skol_rnn.features.families import make_features
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.imbalance.draws import sampling_shift
from skol_rnn.imbalance.oversampling import copies_with_originals
from skol_rnn.imbalance.resolve import describe_weights, normalise_weights
from skol_rnn.imbalance.sampling import Sampling
from skol_rnn.inference.labeller import Labeller
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.windowed import Sweep
from skol_rnn.labels import NO_LABEL, LabelSet
from skol_rnn.network.build import NetworkSpec, build_network, learner
from skol_rnn.training.batches import WindowBatches
from skol_rnn.training.lines import TrainingLines, count, draw_rates, sample_lines
from skol_rnn.training.log import TrainingLog
from skol_rnn.training.loop import History, TrainingPlan, Watch, train
from skol_rnn.training.objective import Objective, freeze_weights, rare_labels
from skol_rnn.training.validation import HeldOut, named_offsets, tuned_decoder
from skol_rnn.windows import cut_windows

_BAG_SIZE = 64
_MORE_ROUNDS = 2
_SMALLER_STEPS = 0.5  # learning rate of each further round, as a share of the last
_CHECKED_LINES = 5_000
_LINES_TO_BE_FOUND = 10  # of a label, in two documents: docs/learning_curve.md
"""Findings that the log tells before training, when there is time to stop."""


class TrainingTables(NamedTuple):
    """Annotated lines, with the labels to learn."""

    training: pd.DataFrame
    held_out: pd.DataFrame
    given: pd.DataFrame


@dataclass
class Fitted:
    """What a training results in."""

    labeller: Labeller
    decoder: Decoder
    class_weights: ClassWeights
    weights: np.ndarray
    counts: np.ndarray
    history: dict[str, list[float]]
    diagnosis: list[Finding]


class _Trained(NamedTuple):
    """A network after its training, before anything is tuned."""

    labeller: Labeller
    decoder: Decoder
    weights: np.ndarray
    batches: WindowBatches
    history: dict[str, list[float]]
    judge: HeldOut | None


class Fitting:
    """One training."""

    def __init__(self, parameters: Mapping[str, Any], labels: LabelSet) -> None:
        self.parameters, self.labels = dict(parameters), labels
        self.of = SimpleNamespace(**parameters)
        self.objective = Objective.of(parameters)
        self.log = TrainingLog(self.of.verbosity)

    def run(
        self,
        tables: TrainingTables,
        checkpoint: Path | None = None,
        strict: bool = False,
        watch: Watch | None = None,
    ) -> Fitted:
        """Train."""
        if not self._refits(tables):
            return self._judged(tables, checkpoint, strict, watch)
        judging = Fitting({**self.parameters, "members": 1}, self.labels)
        return self._refitted(judging._judged(tables, checkpoint, strict, watch), tables.given, checkpoint)

    def _judged(self, tables: TrainingTables, checkpoint: Path | None, strict: bool, watch: Watch | None) -> Fitted:
        """Train on the training lines; the others say when to stop, how to decide and what went wrong."""
        counts = _counts(tables.training, self.labels)
        class_weights = freeze_weights(self.objective.class_weights, self.labels, counts, self.parameters)
        self._check_drift(class_weights, tables, counts, strict)
        trained = self._train(tables.training, tables.held_out, counts, class_weights, checkpoint, watch)
        judge = trained.judge
        decoder = self._tuned(trained.decoder, judge, tables.training, trained.history)
        if judge:
            judge.decoder = decoder
        diagnosis = self._diagnose(class_weights, counts, trained.batches, trained.history, judge)
        return Fitted(trained.labeller, decoder, class_weights, trained.weights, counts, trained.history, diagnosis)

    def _refits(self, tables: TrainingTables) -> bool:
        """Whether lines were held out that the network can be trained on in the end."""
        return bool(self.of.refit) and len(tables.given) > len(tables.training) and len(tables.held_out) > 0

    def _refitted(self, judged: Fitted, table: pd.DataFrame, checkpoint: Path | None) -> Fitted:
        """Train on all documents, up to the epoch that was best for the judged network, and decide as that one does."""
        last = _best_epoch(judged.history, self.of.monitor)
        self.log.say(
            f"Training again, on all {table['doc_id'].nunique()} documents: those held out have judged by now."
        )
        counts = _counts(table, self.labels)
        class_weights = freeze_weights(self.objective.class_weights, self.labels, counts, self.parameters)
        second = checkpoint and checkpoint.with_name(checkpoint.name + ".refit")
        trained = self._train(table, table.iloc[:0], counts, class_weights, second, None, last)
        return replace(
            judged,
            labeller=trained.labeller,
            decoder=replace(judged.decoder, correction=trained.decoder.correction),
            class_weights=class_weights,
            weights=trained.weights,
            counts=counts,
            history={**judged.history, "refit_loss": trained.history["loss"]},
        )

    def _train(
        self,
        table: pd.DataFrame,
        held_out: pd.DataFrame,
        counts: np.ndarray,
        class_weights: ClassWeights,
        checkpoint: Path | None,
        watch: Watch | None,
        last_epoch: int | None = None,
    ) -> _Trained:
        lines = self._lines(table)
        drawn = count(lines.true, len(self.labels))
        weights = self._scaled(class_weights, drawn)
        self._tell_division(weights, counts)
        decoder = self._untuned(table, weights, counts, drawn)
        labeller = self._untrained(lines, self.objective.starting_bias(weights, counts, drawn))
        labeller = replace(labeller, linear=self._linear(labeller, lines, decoder))
        batches = self._batches(lines, labeller.spec.voices)
        self.log.say(
            f"[BiLSTM] {len(lines.true):,} {self.of.unit}s of {len(lines.lengths)} documents in {len(batches.windows):,} windows "
            f"of {self.of.window_size}, {len(batches)} batches an epoch, {labeller.network.count_params():,} parameters"
        )
        judge = self._judge(held_out, labeller, decoder) if len(held_out) else None
        important = list(self.of.important or rare_labels(counts, self.labels))
        plan = TrainingPlan(self.of.epochs, self.of.learning_rate, self.of.monitor, self.of.patience, last_epoch)
        run = partial(
            train,
            learner(labeller.network, labeller.spec),
            self.objective.build(weights, counts, self.labels, important),
            batches,
            log=self.log,
            score=(lambda: judge.evaluate_epoch(self.of.decision)) if judge else None,
            fingerprint=self._fingerprint(lines, held_out, class_weights, weights) if checkpoint else "",
            watch=watch,
        )
        history = run(plan, checkpoint=checkpoint)
        trained = _Trained(labeller, decoder, weights, batches, history, judge)
        return self._continued(trained, lines, counts, important, run, plan, checkpoint)

    def _continued(
        self,
        trained: _Trained,
        lines: TrainingLines,
        counts: np.ndarray,
        important: list[str],
        run: Callable[..., History],
        plan: TrainingPlan,
        checkpoint: Path | None,
    ) -> _Trained:
        """Train on, in smaller steps, while an important label is never predicted; then give up and say so."""
        more = self.of.min_updates
        # Spans of few articles are found by the offset of O, whatever the network's own decision is.
        if not more or is_bio(self.labels):
            return trained
        where = "validation documents" if trained.judge else "training documents"
        epochs = -(-more // len(trained.batches))
        missing = self._never_predicted(trained, lines, counts, important)
        for attempt in range(1, _MORE_ROUNDS + 1):
            if not missing:
                return trained
            self.log.say(
                f"Never predicted on the {where}: {_quoted(missing)}. "
                f"Training goes on for {epochs} more epochs, in smaller steps."
            )
            rate = plan.learning_rate * _SMALLER_STEPS**attempt
            file = checkpoint and checkpoint.with_name(f"{checkpoint.name}.more{attempt}")
            best = max(trained.history.get(f"val_{plan.monitor}", [-math.inf]))
            further = replace(plan, epochs=epochs, learning_rate=rate, last_epoch=None, patience=epochs)
            history = run(further, checkpoint=file, best=best)
            joined = {name: trained.history.get(name, []) + values for name, values in history.items()}
            trained = trained._replace(history=joined)
            missing = self._never_predicted(trained, lines, counts, important)
        if missing:
            updates = len(trained.batches) * len(trained.history["loss"])
            self.log.warn(
                f"Still never predicted on the {where} after {updates:,} updates in {_MORE_ROUNDS + 1} rounds: "
                f"{_quoted(missing)}. " + _examples_needed(missing, lines, self.labels, self.of.unit)
            )
        return trained

    def _never_predicted(
        self, trained: _Trained, lines: TrainingLines, counts: np.ndarray, important: list[str]
    ) -> list[str]:
        """Name the important labels that have lines in what is looked at, and that no line is given."""
        if trained.judge:
            features, true, lengths = trained.judge.features, trained.judge.true, trained.judge.lengths
            decoder = trained.judge.decoder
        else:
            features, true, lengths = _some_documents(lines)
            decoder = replace(trained.decoder, offsets=self._prior_offsets(counts))
        raw = trained.labeller.of_features(features, lengths, Sweep.of(self.parameters))
        how = "corrected" if self.of.decision == "tuned" else self.of.decision
        predicted = np.bincount(decoder.decide(raw, lengths, how), minlength=len(self.labels)) > 0
        present = np.bincount(true[true != NO_LABEL], minlength=len(self.labels)) > 0
        asked = [name for name in important if present[i := self.labels.index(name)] and counts[i]]
        return [name for name in asked if not predicted[self.labels.index(name)]]

    def _linear(self, labeller: Labeller, lines: TrainingLines, decoder: Decoder) -> LinearMember | None:
        """Train the linear model that is averaged with the network, if there is to be one."""
        if not self.of.linear_share:
            return None
        return LinearMember.fit(
            lines.features,
            lines.true,
            lines.lengths,
            n_labels=len(self.labels),
            vocabulary_size=labeller.spec.vocabulary_size,
            share=self.of.linear_share,
            shift=decoder.correction.tilt(),
            seed=self.of.random_state,
        )

    # -- before training ------------------------------------------------------------------------------

    def _check_drift(
        self, class_weights: ClassWeights, tables: TrainingTables, counts: np.ndarray, strict: bool
    ) -> None:
        """Tell of frozen weights that are neither of the training lines nor of all that were given."""
        drift = class_weights.drift(counts, self.labels)
        drift = drift and class_weights.drift(_counts(tables.given, self.labels), self.labels)
        if drift and strict:
            raise DataError(
                f"The frozen class weights do not fit these data: {'; '.join(drift)}. "
                "Freeze them anew, or train without strict."
            )
        for sentence in drift:
            self.log.warn(sentence)

    def _scaled(self, class_weights: ClassWeights, counts: np.ndarray) -> np.ndarray:
        given = class_weights.vector(self.labels)
        weighted = self.objective.class_weights is not None
        if weighted:
            for line in describe_weights(given, self.labels):
                self.log.say(line)
        if self.objective.loss != "cross_entropy":
            self.log.say(f"[BiLSTM] Using loss: {self.objective.describe()}")
        # Of mean 1 over the training lines: multiplying all weights by ten changes nothing.
        scaled = normalise_weights(given, counts)
        if weighted:
            self.log.say("Rescaled to a mean of 1 over the training lines: " + _named(scaled, self.labels))
        return scaled

    def _tell_division(self, weights: np.ndarray, counts: np.ndarray) -> None:
        """Say which part of steep weights is not in the loss."""
        margins = self.objective.divided(weights, counts)[1]
        if margins is not None:
            self.log.say(
                "Beyond the ratio of the counts, so not in the loss but margins of the logits "
                '(steep_weights="loss" leaves them there), times: ' + _named(np.exp(-margins), self.labels)
            )

    def _lines(self, table: pd.DataFrame) -> TrainingLines:
        """Compute the features of the training lines, and sample."""
        self._features = make_features(
            self.of.features,
            input_size=self.of.input_size,
            features_col=self.of.features_col,
            seed=self.of.random_state,
            unit=self.of.unit,
        )
        true = self.labels.encode(table["label"])
        lines = TrainingLines(self._features.fit_transform(table), true, lengths_of(table))
        return sample_lines(lines, table, Sampling.parse(self.of.sampling))

    def _untrained(self, lines: TrainingLines, bias: np.ndarray) -> Labeller:
        ids, numbers = lines.features
        characters, beside = (getattr(self._features, name, 0) for name in ("characters", "beside"))
        spec = NetworkSpec(
            n_labels=len(self.labels),
            numbers_size=numbers.shape[1],
            vocabulary_size=getattr(self._features, "vocabulary_size", 0),
            slots=ids.shape[1] - beside - characters,
            input_size=self.of.input_size or _BAG_SIZE,
            line_size=self.of.line_size,
            hidden_size=self.of.hidden_size,
            num_layers=self.of.num_layers,
            dropout=self.of.dropout,
            feature_dropout=self.of.feature_dropout,
            seed=self.of.random_state,
            members=self.of.members,
            characters=characters,
            alphabet_size=getattr(self._features, "alphabet_size", 0),
            beside=beside,
            beside_vocabulary_size=getattr(self._features, "beside_vocabulary_size", 0),
        )
        return Labeller(self.labels, self._features, spec, build_network(spec, bias))

    def _untuned(self, table: pd.DataFrame, weights: np.ndarray, counts: np.ndarray, drawn: np.ndarray) -> Decoder:
        """Undo weights, loss and sampling; offsets and scaling are found after training."""
        n_labels = len(self.labels)
        transitions = learn_transitions(self.labels.encode(table["label"]), lengths_of(table), n_labels)
        return Decoder(
            self.objective.correction(weights, counts, sampling_shift(counts, drawn)),
            np.zeros(n_labels),
            only_legal(transitions, self.labels) if is_bio(self.labels) else transitions,
            Scaling(1.0, np.zeros(n_labels)),
        )

    def _batches(self, lines: TrainingLines, voices: int) -> WindowBatches:
        windows = cut_windows(lines.lengths, self.of.window_size, self.of.stride)
        rates, corrections = draw_rates(windows, lines.true, self.labels, Sampling.parse(self.of.sampling))
        return WindowBatches(
            lines.features,
            lines.true,
            len(self.labels),
            windows,
            self.of.batch_size,
            self.of.random_state,
            self.of.num_workers,
            rates,
            corrections,
            voices,
        )

    def _judge(self, held_out: pd.DataFrame, labeller: Labeller, decoder: Decoder) -> HeldOut:
        sweep = Sweep.of(self.parameters)
        return HeldOut(held_out, labeller, sweep, decoder, self.of.monitor, self.of.important, self.of.unit)

    def _fingerprint(
        self, lines: TrainingLines, held_out: pd.DataFrame, class_weights: ClassWeights, weights: np.ndarray
    ) -> str:
        """Hash what a resumed run must share with the run that it resumes."""
        settings = {k: v for k, v in self.parameters.items() if k not in {"verbosity", "num_workers"}}
        settings["class_weights"] = class_weights.to_dict()
        digest = hashlib.sha256(json.dumps([settings, list(self.labels), weights.tolist()], default=str).encode())
        for array in (*lines.features, lines.true):
            digest.update(np.ascontiguousarray(array).tobytes())
        rows = held_out[["doc_id", "value", "label"]].fillna("").astype(str)
        digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
        return digest.hexdigest()

    # -- after training -------------------------------------------------------------------------------

    def _tuned(
        self, decoder: Decoder, judge: HeldOut | None, table: pd.DataFrame, history: Mapping[str, list[float]]
    ) -> Decoder:
        """Find scaling and offsets on documents that the network has not trained on."""
        if judge and self.of.calibration != "none":
            scaling = judge.calibrate(self.of.calibration)
            told = f"bias {_named(scaling.bias, self.labels)}" if scaling.bias.any() else "no bias"
            self.log.say(f"Calibrated on the held-out documents: temperature {scaling.temperature:.3f}, {told}")
            decoder = judge.decoder
        if self.of.tuning_folds:
            posterior = decoder.scaling.apply(self._out_of_fold(table, _best_epoch(history, self.of.monitor)))
            decoder, reason = tuned_decoder(decoder, posterior, table, self.labels, self.of.monitor, self.of.important)
            self.log.say(reason)
            return decoder
        if judge:
            self.log.say(judge.tune())
            return judge.decoder
        offsets = self._prior_offsets(_counts(table, self.labels))
        if self.of.decision == "auto":
            self.log.say(
                f"Decision: posteriors with offsets that follow from the label counts, {named_offsets(offsets, self.labels)}; "
                "no document is held out to tune others."
            )
        return replace(decoder, offsets=offsets)

    def _prior_offsets(self, counts: np.ndarray) -> np.ndarray:
        return prior_offsets(counts, together=is_bio(self.labels))

    def _out_of_fold(self, table: pd.DataFrame, epochs: int) -> np.ndarray:
        """Posteriors of the training documents, each from a network that was trained on the others."""
        posterior = np.zeros((len(table), len(self.labels)))
        parameters = {**self.parameters, "tuning_folds": 0, "calibration": "none", "epochs": epochs, "verbosity": 0}
        groups = copies_with_originals(table)
        for kept, held in document_folds(table, self.of.tuning_folds, self.of.random_state, groups):
            rest, part = (table.iloc[rows].reset_index(drop=True) for rows in (kept, held))
            fitted = Fitting(parameters, self.labels).run(TrainingTables(rest, part.iloc[:0], rest))
            raw = fitted.labeller.probabilities(part, Sweep.of(parameters))
            posterior[held] = fitted.decoder.posterior(raw)
        return posterior

    def _diagnose(
        self,
        class_weights: ClassWeights,
        counts: np.ndarray,
        batches: WindowBatches,
        history: Mapping[str, list[float]],
        judge: HeldOut | None,
    ) -> list[Finding]:
        given = self.of.class_weights
        found = diagnose(
            labels=self.labels,
            evaluation=judge.evaluate(self.of.decision) if judge else None,
            weights=np.array(class_weights.weights),
            counts=counts,
            given=given if isinstance(given, Mapping) else None,
            history=history,
            padding_share=float(1.0 - batches.windows.mask.mean()) if len(batches.windows) else None,
            updates=len(batches) * len(history["loss"]),
            decision=self.of.decision,
            unit=self.of.unit,
        )
        for line in summary(found, 12 if self.log.verbosity < 2 else 10**6):
            self.log.warn(line)
        return found


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _some_documents(lines: TrainingLines) -> tuple[Any, np.ndarray, list[int]]:
    """Take the training documents with the most labels beside the frequent one, up to some thousand lines."""
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
        few |= len(rows) < _LINES_TO_BE_FOUND or documents < 2
        seen.append(f"{name!r} has {len(rows)} training {unit}s in {documents} document{'s' * (documents != 1)}")
    advice = (
        f"annotate more documents that hold it: from about {_LINES_TO_BE_FOUND} {unit}s in two documents on, "
        "such a label is found (docs/learning_curve.md)."
        if few
        else f"raise min_updates= or learning_rate=, or see whether the words of such {unit}s differ from those of the others at all."
    )
    return f"{'; '.join(seen)}: {advice}"


def _best_epoch(history: Mapping[str, list[float]], monitor: str) -> int:
    """Count the epochs up to the one whose weights were kept; all of them where nothing was scored."""
    scores = history.get(f"val_{monitor}")
    return int(np.argmax(scores)) + 1 if scores else len(history["loss"])


def _counts(table: pd.DataFrame, labels: LabelSet) -> np.ndarray:
    true = labels.encode(table["label"])
    if (true == NO_LABEL).all():
        raise DataError("No training line has a label: give more annotated documents, or validation_fraction=0.")
    return count(true, len(labels))


def _named(values: np.ndarray, labels: LabelSet) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(zip(labels, values.tolist(), strict=True)))
