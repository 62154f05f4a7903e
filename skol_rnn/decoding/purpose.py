"""Decisions for a purpose: enough recall or precision of one label, or the least cost of errors."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, printable, suggestion

FORMS = ("recall:LABEL=0.95", "precision:LABEL=0.9", "cost:FILE")
_KINDS = ("recall", "precision", "cost")
CONFIDENCE = 0.8
"""Share of new collections, as large as a group of held-out documents, in which a promise is to hold."""
_LEAST = 20  # lines of the label in a group of documents: fewer say little about a share


class Rule(Protocol):
    """What chooses labels from posteriors."""

    def decide(self, posterior: np.ndarray) -> np.ndarray:
        """Return a label index for each row of (lines, labels)."""


@dataclass(frozen=True)
class Threshold:
    """One label wherever its posterior is large enough; elsewhere the most probable of the others."""

    label: int
    least: float
    confidence: float  # share of new collections in which the promise holds
    lines_in_group: int  # of the label, at least, in each group of documents that the threshold was found on

    def decide(self, posterior: np.ndarray) -> np.ndarray:
        """Return a label index for each row of (lines, labels)."""
        others = posterior.copy()
        others[:, self.label] = -1.0
        return np.where(posterior[:, self.label] >= self.least, self.label, np.argmax(others, axis=1))


@dataclass(frozen=True)
class LeastCost:
    """The label with the least expected cost (Elkan, The foundations of cost-sensitive learning, IJCAI 2001)."""

    costs: np.ndarray  # (true, chosen)

    def decide(self, posterior: np.ndarray) -> np.ndarray:
        """Return a label index for each row of (lines, labels)."""
        return np.argmin(posterior @ self.costs, axis=1)


class Purpose(NamedTuple):
    """What a decision asks for: a kind, and a label with a share, or a file."""

    kind: str
    label: str = ""
    share: float = math.nan
    file: str = ""


def is_purpose(decision: str) -> bool:
    """Whether a decision names a purpose."""
    return decision.partition(":")[0] in _KINDS and ":" in decision


def promises(decision: str) -> bool:
    """Whether a decision promises a recall or a precision."""
    return is_purpose(decision) and parse_purpose(decision).kind != "cost"


def parse_purpose(decision: str) -> Purpose:
    """Read a decision such as "recall:Nomenclature=0.95"."""
    kind, _, rest = decision.partition(":")
    if kind == "cost":
        if not rest:
            raise ValueError(f"decision {decision!r} lacks its file: write cost:FILE.")
        return Purpose(kind, file=rest)
    label, _, level = rest.rpartition("=")
    try:
        share = float(level)
    except ValueError:
        share = math.nan
    if not label or not 0 < share < 1:
        raise ValueError(f"decision {decision!r} needs a label and a share between 0 and 1: write {kind}:LABEL=0.95.")
    return Purpose(kind, label, share)


def check_decision(decision: object, unit: str = "line") -> None:
    """Check the form of a decision, also one for a purpose."""
    if not isinstance(decision, str) or not is_purpose(decision):
        check_choice("decision", decision, (*DECISIONS, *(FORMS if unit == "line" else ())))
        return
    if unit != "line":
        raise ValueError(f"decision {decision!r} is for labels of lines, not for spans.")
    parse_purpose(decision)


def rule_of(decision: str, names: Sequence[str], held_out: HeldOut | None) -> Rule:
    """Return the rule for a purpose; its threshold follows from the documents held out."""
    purpose = parse_purpose(decision)
    if purpose.kind == "cost":
        return LeastCost(read_costs(Path(purpose.file), names))
    if purpose.label not in names:
        raise ValueError(
            f"decision {decision!r}: the model has no label {purpose.label!r}, only {', '.join(names)}."
            f"{suggestion(purpose.label, names)}"
        )
    if held_out is None:
        raise DataError(
            f"decision {decision!r} needs predictions of annotated documents that the network was not trained on, and "
            "this model has none: train with validation documents, or with folds=3."
        )
    label = list(names).index(purpose.label)
    held, fewest = held_out.known(), _LEAST
    if purpose.kind == "recall":
        fewest = max(fewest, math.ceil(1 / (1 - purpose.share) - 1e-9))
    groups = held.groups(label, fewest)
    if not groups:
        there = int((held.true == label).sum())
        raise DataError(
            f"{decision} cannot be promised: it needs at least {fewest} held-out lines of {purpose.label}, and there are "
            f"{there}. Annotate at least {fewest - there} more."
        )
    find = _for_recall if purpose.kind == "recall" else _for_precision
    # New documents are as likely as the held-out ones to need a low threshold.
    rank = max(math.floor((1 - CONFIDENCE) * (len(groups) + 1)), 1)
    least = find(held, groups, label, purpose.share, rank)
    if not math.isfinite(least):
        raise DataError(f"{decision} cannot be promised: in some held-out documents no threshold reaches it.")
    return Threshold(label, least, 1 - rank / (len(groups) + 1), fewest)


def read_costs(file: Path, names: Sequence[str]) -> np.ndarray:
    """Read a matrix of costs from a CSV file: a row for each true label, a column for each chosen one."""
    where = printable(str(file))
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where}: the costs cannot be read ({getattr(error, 'strerror', None) or error}).") from None
    columns = [cell.strip() for cell in rows[0][1:]] if rows else []
    found = {row[0].strip(): row[1:] for row in rows[1:]}
    for there, what in ((columns, "column"), (list(found), "row")):
        missing, unknown = sorted({*names} - {*there}), sorted({*there} - {*names})
        if missing or unknown or len(there) != len(names):
            fault = f"has no {what} {missing[0]!r}" if missing else f"has a {what} of no label, {unknown[0]!r}"
            if not missing and not unknown:
                fault = f"has a {what} twice"
            raise DataError(
                f"{where}: the table of costs {printable(fault)}. It needs the model's labels in its first row (the "
                f"label chosen) and in its first column (the true label): {', '.join(names)}."
            )
    if len(rows) - 1 != len(found):
        raise DataError(f"{where}: the table of costs has a row twice.")
    costs = np.empty((len(names), len(names)))
    for i, true in enumerate(names):
        for j, chosen in enumerate(names):
            cells = found[true]
            cell = cells[columns.index(chosen)].strip() if columns.index(chosen) < len(cells) else ""
            try:
                costs[i, j] = float(cell)
            except ValueError:
                costs[i, j] = math.nan
            if not 0 <= costs[i, j] < math.inf:
                raise DataError(
                    f"{where}: the cost of {printable(chosen)!r} where {printable(true)!r} is right is "
                    f"{printable(cell)!r}: write a number from 0 on."
                )
    return costs


def _for_recall(held: HeldOut, groups: Sequence[slice], label: int, share: float, rank: int) -> float:
    """Return the threshold: of those that reach the recall in a group each, the one of a rank from below.

    This is split conformal prediction, class-conditional, with groups of documents as the exchangeable units (Vovk et
    al., Algorithmic learning in a random world, 2005; Dunn et al., Distribution-free prediction sets for two-layer
    hierarchical models, JASA 2023).
    """
    of_groups = []
    for group in groups:
        found = np.sort(held.posterior[group][held.true[group] == label, label])
        of_groups.append(found[math.floor((1 - share) * len(found) + 1e-9)])
    return float(np.sort(of_groups)[rank - 1])


def _for_precision(held: HeldOut, groups: Sequence[slice], label: int, share: float, rank: int) -> float:
    """Return the threshold: of those that reach the precision in a group each, the one of a rank from above."""
    of_groups = []
    for group in groups:
        posterior = held.posterior[group][:, label]
        order = np.argsort(-posterior, kind="stable")
        right = np.cumsum(held.true[group][order] == label)
        last = np.append(
            np.diff(posterior[order]) < 0, True
        )  # of the lines with equal posteriors, which are chosen together
        enough = np.flatnonzero(last & (right >= share * np.arange(1, len(order) + 1)))
        of_groups.append(posterior[order[enough[-1]]] if len(enough) else np.inf)
    return float(np.sort(of_groups)[-rank])
