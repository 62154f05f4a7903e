"""Adapt a trained network to a new collection: train it on with few reviewed lines, and replay its old training documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import LabelledRows, fold_labels, labelled_table
from skol_rnn.data.table import text_hashes
from skol_rnn.errors import DataError
from skol_rnn.imbalance.sampling import Sampling
from skol_rnn.inference.predictor import Predictor
from skol_rnn.inference.quiet import load_keras
from skol_rnn.labels import NO_LABEL, UNLABELLED, LabelSet, check_choice, plural, rare_labels
from skol_rnn.training.lines import TrainingLines, sample_lines
from skol_rnn.training.log import TrainingLog
from skol_rnn.training.objective import Objective
from skol_rnn.training.settings import INSTANT

# docs/adapt.md has the measurements.
_LEARNING_RATE = 5e-4
_STEPS, _STEPS_OF_A_LINE, _MOST_STEPS = 60, 0.5, 160
REVIEWED_WEIGHT = 4.0
"""How much a reviewed line counts in the loss; a line of the old training documents counts 1."""


class Adaptation(NamedTuple):
    """The rows to adapt to, of which some have a label, and the training rows to replay."""

    reviewed: LabelledRows
    replayed: LabelledRows
    shared: list[str]  # training documents that are reviewed ones, and not replayed

    @property
    def lines(self) -> int:
        """Number of reviewed lines."""
        return int((self.reviewed.true != NO_LABEL).sum())

    def read_documents(self) -> pd.DataFrame:
        """Return the rows of the documents with a reviewed line."""
        table = self.reviewed.table
        return table[table["doc_id"].isin(table["doc_id"][self.reviewed.true != NO_LABEL])]


def check_adaptable(parameters: Mapping[str, Any]) -> None:
    """Refuse a model that cannot be adapted."""
    if parameters.get("preset") == INSTANT:
        raise ValueError('A model of preset="instant" has no network to adapt: train it again, which takes seconds.')
    if parameters.get("unit", "line") != "line":
        raise ValueError("Only a model of lines can be adapted, and this one labels tokens.")


def adaptation(
    reviewed: tuple[Any, Any],
    training: tuple[Any, Any],
    labels: LabelSet,
    other: str | None,
    unlabelled: str = "skip",
    label_col: str = "label",
    line_no_col: str = "line_number",
) -> Adaptation:
    """Read and check data and labels of the reviewed and of the training documents.

    Reviewed documents keep lines without a label, which are not learnt; ``unlabelled`` says what happens to those of the
    training documents.
    """
    check_choice("unlabelled", unlabelled, UNLABELLED)
    new, old = (
        _table(pair, what, advice, labels, other, how, (label_col, line_no_col))
        for pair, what, advice, how in (
            (reviewed, "reviewed", "merge the corrections of a review first, or give annotated documents", "ignore"),
            (training, "training", "give the annotated documents that the model was trained on", unlabelled),
        )
    )
    hashes = set(text_hashes(new).values())
    shared = [name for name, text in text_hashes(old).items() if text in hashes]
    replayed = old[~old["doc_id"].isin(shared)].reset_index(drop=True)
    if replayed["label"].isna().all():
        raise DataError(
            "All training documents are among the reviewed ones: give the others that the model was trained on too, "
            "since it forgets what it is not trained on again."
        )
    return Adaptation(LabelledRows.of(new, labels), LabelledRows.of(replayed, labels), shared)


def _table(
    pair: tuple[Any, Any],
    what: str,
    advice: str,
    labels: LabelSet,
    other: str | None,
    unlabelled: str,
    columns: tuple[str, str],
) -> pd.DataFrame:
    """Return the table of documents with the labels of the model."""
    skipped_for = other if unlabelled == "skip" else None
    table = labelled_table(*pair, *columns, other=skipped_for, required=False, names=labels)
    if table["label"].isna().all():
        raise DataError(f"No line of the {what} documents has a label: {advice}.")
    table["label"] = fold_labels(table["label"], labels, other, f"the {what} documents", unlabelled == "ignore")
    return table


def adapted(
    predictor: Predictor,
    spec: Mapping[str, Any],
    rows: Adaptation,
    settings: Mapping[str, Any],
    weights: np.ndarray,
    counts: np.ndarray,
) -> Predictor:
    """Return the predictor with a network that is trained on; all else stays as it is."""
    log = TrainingLog(settings["verbosity"])
    if rows.shared:
        log.say(f"Not replayed, since they are reviewed: {plural(len(rows.shared), 'training document')}.")
    new = rows.reviewed
    reviewed = TrainingLines(predictor.features.transform(new.table), new.true, new.lengths)
    replayed = replayed_lines(predictor, rows.replayed, settings)
    return trained_on(predictor, spec, reviewed, replayed, settings, weights, counts, log)


def replayed_lines(predictor: Predictor, rows: LabelledRows, settings: Mapping[str, Any]) -> TrainingLines:
    """Compute the features of the training lines, sampled as in training."""
    lines = TrainingLines(predictor.features.transform(rows.table), rows.true, rows.lengths)
    return sample_lines(lines, rows.table, Sampling.parse(settings["sampling"]))


def trained_on(
    predictor: Predictor,
    spec: Mapping[str, Any],
    reviewed: TrainingLines,
    replayed: TrainingLines,
    settings: Mapping[str, Any],
    weights: np.ndarray,
    counts: np.ndarray,
    log: TrainingLog,
) -> Predictor:
    """Train a copy of the network on, in batches of windows around reviewed lines and windows of the training documents."""
    load_keras()
    from skol_rnn.inference.keras_runner import KerasRunner
    from skol_rnn.network.build import NetworkSpec, training_model
    from skol_rnn.training.loop import TrainingPlan, train
    from skol_rnn.training.replay import ReplayBatches

    labels, of = predictor.labels, NetworkSpec.from_dict(dict(spec))
    runner = KerasRunner.rebuilt(spec, predictor.runner.arrays())  # type: ignore[union-attr]
    lines = int((reviewed.true != NO_LABEL).sum())
    steps = min(int(_STEPS + _STEPS_OF_A_LINE * lines), _MOST_STEPS)
    seed, window = settings["random_state"], settings["window_size"]
    batches = ReplayBatches(reviewed, replayed, len(labels), window, steps, seed, of.n_outputs, REVIEWED_WEIGHT)
    log.say(f"Adapting to {plural(lines, 'reviewed line')} in {plural(steps, 'update')}.")
    important = list(settings["important"] or rare_labels(counts, labels))
    loss = Objective.of(settings).build(weights, counts, labels, important)
    plan = TrainingPlan(1, _LEARNING_RATE, settings["monitor"], patience=1, lazy=True)
    train(training_model(runner.network, of), loss, batches, plan, log=log)
    return replace(predictor, runner=runner)
