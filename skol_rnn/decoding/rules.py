"""Rules over the labels of neighbouring lines, applied to predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from skol_rnn.data.table import check_table, require_column
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet, suggestion

NEAR = 2
"""Lines before and after a line that count as near."""

_OUTSIDE = -2  # no label has this index


@dataclass(frozen=True)
class SequenceRule:
    """A condition on a line and its neighbours, and the label that the line gets."""

    name: str
    current: str
    becomes: str
    threshold: float | None = None
    previous: str | None = None
    next: str | None = None
    near: str | None = None
    evidence: str | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"The threshold of rule {self.name!r} must be from 0 to 1, but is {self.threshold!r}.")
        if self.current == self.becomes:
            raise ValueError(f"Rule {self.name!r} changes nothing: {self.current!r} becomes {self.becomes!r}.")

    def uses(self) -> list[str]:
        """Return the labels of the rule, each once."""
        named = (self.current, self.becomes, self.previous, self.next, self.near, self.evidence)
        return list(dict.fromkeys(label for label in named if label is not None))

    def renamed(self, names: Mapping[str, str]) -> SequenceRule:
        """Return the rule with other names of labels."""
        parts = ("current", "becomes", "previous", "next", "near", "evidence")
        return replace(self, **{part: names.get(label, label) for part in parts if (label := getattr(self, part))})


DEFAULT_RULES = (
    SequenceRule("description_after_nomenclature", "Misc", "Description", 0.25, previous="Nomenclature"),
    SequenceRule("misc_amid_nomenclature", "Nomenclature", "Misc", None, previous="Nomenclature", next="Nomenclature"),
    SequenceRule("description_near_nomenclature", "Misc", "Description", 0.2, near="Nomenclature"),
)
"""Rules for taxonomic papers.  The second is off, since names over three lines are common there;
``thresholds={"misc_amid_nomenclature": 0.3}`` turns it on."""


def apply_sequence_rules(
    predictions: pd.DataFrame,
    rules: Sequence[SequenceRule] = DEFAULT_RULES,
    thresholds: Mapping[str, float | None] | None = None,
    labels: Sequence[str] | LabelSet | None = None,
    *,
    names: Mapping[str, str] | None = None,
    line_no_col: str = "line_number",
) -> pd.DataFrame:
    """Change predicted labels where the labels of neighbouring lines call for it.

    All rules read the original predictions of the same document.  If several rules fit a line, the first one applies.

    Parameters
    ----------
    predictions : DataFrame
        What ``RNNSkolModel.predict`` returns: document, line number, ``prediction``, ``predicted_label`` and
        ``probabilities``.
    rules : sequence of SequenceRule
        The rules, in order of precedence.
    thresholds : mapping of str to (float or None), optional
        Other thresholds by rule name; None turns a rule off.
    labels : sequence of str, optional
        Labels in the order of the probabilities (the model's ``labels_``).  Needed only if a label of the rules is never
        predicted.
    names : mapping of str to str, optional
        Names of the rules' labels in these predictions, as in ``{"Misc": "Misc-exposition"}``.
    line_no_col : str, default "line_number"
        Column of line numbers.

    Returns
    -------
    DataFrame
        A copy, rows in the caller's order, with ``prediction`` and ``predicted_label`` changed together and a column
        ``rule``: the name of the rule that changed the line, or None.

    Raises
    ------
    ValueError
        If a rule, or a label of a rule, is unknown.
    DataError
        If a column is missing, or index, label and probabilities of a line do not agree.

    Examples
    --------
    >>> rows = pd.DataFrame({"doc_id": "a", "line_number": [0, 1], "prediction": [0, 2],
    ...                      "predicted_label": ["Nomenclature", "Misc"],
    ...                      "probabilities": [[0.9, 0.0, 0.1], [0.1, 0.4, 0.5]]})
    >>> changed = apply_sequence_rules(rows, labels=["Nomenclature", "Description", "Misc"])
    >>> changed[["prediction", "predicted_label", "rule"]].values.tolist()
    [[0, 'Nomenclature', None], [1, 'Description', 'description_after_nomenclature']]
    """
    active = _active(rules, thresholds or {}, names or {})
    for column in ("prediction", "predicted_label", "probabilities"):
        require_column(predictions, column)
    if predictions.empty:
        return predictions.assign(rule=pd.Series(dtype=object))
    vectors = [np.asarray(row, np.float64) for row in predictions["probabilities"]]
    for number, row in enumerate(vectors):
        if row.ndim != 1 or row.shape != vectors[0].shape:
            where = f"Row {number} of column 'probabilities'"
            raise DataError(f"{where} has a different number of values than the first row.")
    probabilities = np.stack(vectors)
    index = _positions(predictions, probabilities.shape[1], labels)
    for rule in active:
        _check_labels(rule, index, probabilities.shape[1])
    wanted = ("doc_id", "filename", "attachment_name", line_no_col)
    places = predictions[[column for column in wanted if column in predictions]].assign(value="")
    table = check_table(places.reset_index(drop=True), line_no_col=line_no_col)
    order, codes = table["order"].to_numpy(), pd.factorize(table["doc_id"])[0]
    label = predictions["prediction"].to_numpy(dtype=np.int64)[order]
    chosen = np.empty(len(order), np.int64)
    chosen[order] = _first_fit(active, index, label, probabilities[order], codes)
    prediction = predictions["prediction"].to_numpy(copy=True)
    predicted = predictions["predicted_label"].to_numpy(dtype=object, copy=True)
    # pandas would turn None into NaN in a column of its own string type.
    applied = pd.Series([None] * len(chosen), dtype=object, index=predictions.index)
    for number, rule in enumerate(active):
        lines = chosen == number
        prediction[lines], predicted[lines], applied.iloc[lines] = index[rule.becomes], rule.becomes, rule.name
    return predictions.assign(prediction=prediction, predicted_label=predicted, rule=applied)


def rule_effects(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, int]:
    """Count the lines that each rule changed."""
    if len(before) != len(after):
        raise ValueError(f"There were {len(before)} lines before and {len(after)} after the rules.")
    differs = before["predicted_label"].to_numpy(dtype=object) != after["predicted_label"].to_numpy(dtype=object)
    counts = after["rule"].loc[differs].value_counts()
    return {str(name): int(counts[name]) for name in sorted(counts.index)}


def _active(
    rules: Sequence[SequenceRule], thresholds: Mapping[str, float | None], names: Mapping[str, str]
) -> list[SequenceRule]:
    """Return the rules that are on, with the caller's thresholds and label names."""
    known = [rule.name for rule in rules]
    for name in thresholds:
        if name not in known:
            raise ValueError(f"Unknown rule {name!r}; there are {', '.join(known)}.{suggestion(name, known)}")
    used = {label for rule in rules for label in rule.uses()}
    for label in names:
        if label not in used:
            raise ValueError(f"No rule uses label {label!r}, only {', '.join(sorted(used))}.{suggestion(label, used)}")
    tuned = [replace(rule, threshold=thresholds.get(rule.name, rule.threshold)) for rule in rules]
    return [rule.renamed(names) for rule in tuned if rule.threshold is not None]


def _positions(predictions: pd.DataFrame, n_labels: int, labels: Sequence[str] | LabelSet | None) -> dict[str, int]:
    """Return the index of each known label in the probabilities."""
    index = {} if labels is None else {name: i for i, name in enumerate(labels)}
    if labels is not None and len(index) != n_labels:
        raise DataError(f"There are {len(index)} labels for {n_labels} probabilities a line.")
    pairs = predictions[["prediction", "predicted_label"]].drop_duplicates()
    for number, name in zip(pairs["prediction"], pairs["predicted_label"], strict=True):
        if (labels is not None and name not in index) or index.setdefault(name, int(number)) != number:
            raise DataError(f"Columns 'prediction' and 'predicted_label' disagree: {number:g} is {name!r}.")
    if len(set(index.values())) != len(index) or not set(index.values()) <= set(range(n_labels)):
        raise DataError(f"Columns 'prediction' and 'predicted_label' disagree, or do not belong to {n_labels} labels.")
    return index


def _check_labels(rule: SequenceRule, index: Mapping[str, int], n_labels: int) -> None:
    for label in rule.uses():
        if label in index:
            continue
        if len(index) < n_labels:
            raise ValueError(
                f"Label {label!r} of rule {rule.name!r} is never predicted here, so its index in the probabilities "
                f"is unknown.{suggestion(label, index)} Give labels=[...], all labels in their order."
            )
        raise ValueError(
            f"Rule {rule.name!r} uses label {label!r}, but there are only {', '.join(index)}."
            f"{suggestion(label, index)} Give names={{{label!r}: ...}} if it has another name."
        )


def _first_fit(
    rules: Sequence[SequenceRule],
    index: Mapping[str, int],
    label: np.ndarray,
    probabilities: np.ndarray,
    codes: np.ndarray,
) -> np.ndarray:
    """Return for each line, in document order, the number of the first rule that fits, -1 for none."""
    around = {}  # by offset, the label of the line there in the same document
    for offset in (*range(-NEAR, 0), *range(1, NEAR + 1)):
        place = np.arange(len(label)) + offset
        there = np.clip(place, 0, len(label) - 1)
        around[offset] = np.where((place == there) & (codes[there] == codes), label[there], _OUTSIDE)
    chosen = np.full(len(label), -1)
    for number, rule in enumerate(rules):
        fits = (label == index[rule.current]) & (chosen < 0)
        fits &= probabilities[:, index[rule.evidence or rule.becomes]] > rule.threshold
        if rule.previous:
            fits &= around[-1] == index[rule.previous]
        if rule.next:
            fits &= around[1] == index[rule.next]
        if rule.near:
            fits &= np.any([neighbour == index[rule.near] for neighbour in around.values()], axis=0)
        chosen[fits] = number
    return chosen
