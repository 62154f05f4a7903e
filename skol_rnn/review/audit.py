"""Errors of an annotation: lines whose label contradicts what models predict that were not trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.discovery import Paths
from skol_rnn.data.document import Corpus
from skol_rnn.data.inputs import Input, choose_labels, fold_labels, labelled_table
from skol_rnn.data.splits import consecutive_folds
from skol_rnn.data.table import lengths_of
from skol_rnn.decoding.calibration import fit_calibration
from skol_rnn.decoding.correction import log_of, normalised
from skol_rnn.errors import DataError
from skol_rnn.imbalance.sampling import copies_with_originals
from skol_rnn.labels import NO_LABEL, LabelSet, plural, rare_labels
from skol_rnn.report.templating import require_jinja2
from skol_rnn.review.round import ReviewRound
from skol_rnn.review.selection import Candidates
from skol_rnn.review.start import ReviewLines, check_round, describe, line_numbers, read_files, write_round
from skol_rnn.training.settings import INSTANT

COLUMNS = ("doc_id", "first_line", "last_line", "lines", "label", "predicted", "probability", "text")
_PART = 200  # lines of a document that are predicted together


def audit(
    data: Any,
    y: Any = None,
    *,
    labels: Sequence[str] | None = None,
    other: str | None = None,
    folds: int = 3,
    preset: str = "default",
    random_state: int = 0,
    verbosity: int = 0,
) -> pd.DataFrame:
    """List what may be errors of an annotation, the most probable first.

    Two models predict each line: a linear one, trained on other parts of 200 lines of all documents, its own among them,
    which knows the habits of an annotator; and a network that was trained on other documents.  The geometric mean of their
    calibrated posteriors counts.  Lines that follow one another with equal label and equal other prediction are one
    finding; findings are ordered by the smallest probability of the annotated label among their lines (self-confidence of
    Northcutt et al., Confident learning, JAIR 2021).

    Parameters
    ----------
    data, y, labels, other
        Annotated documents, as for ``RNNSkolModel.fit``.
    folds : int, default 3
        Number of folds.
    preset : {"instant", "fast", "default"}, default "default"
        What is trained.  "instant" takes seconds, but more of its first findings are no errors (docs/review.md).
    random_state : int, default 0
        Seed of the training.
    verbosity : int, default 0
        1 prints the log of the training.

    Returns
    -------
    DataFrame
        One row a finding: ``doc_id``, ``first_line`` and ``last_line`` (line numbers), ``lines``, ``label`` (annotated),
        ``predicted``, ``probability`` (the smallest of the annotated label), and ``text`` of the least probable line.

    Raises
    ------
    DataError
        If there are fewer documents than folds, or the documents have no or one label.
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from skol_rnn import audit
    >>> from skol_rnn.datasets import SAMPLE
    >>> findings = audit(SAMPLE / "train", labels=["Nomenclature", "Description"], other="Misc", preset="instant")
    >>> list(findings.columns[:5])
    ['doc_id', 'first_line', 'last_line', 'lines', 'label']
    """
    table, names, posterior = out_of_fold(data, y, labels, other, folds, preset, random_state, verbosity)
    found = _findings(table, names, posterior)
    numbers = table["line_number"] if "line_number" in table else table.groupby("doc_id").cumcount()
    least, first, last = (found[name].to_numpy() for name in ("least", "first", "last"))
    columns = (
        table["doc_id"].to_numpy()[first],
        numbers.to_numpy()[first],
        numbers.to_numpy()[last],
        last - first + 1,
        names.decode(names.encode(table["label"])[least]),
        names.decode(posterior.argmax(axis=1)[least]),
        found["probability"].to_numpy(),
        table["value"].to_numpy()[least],
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def start_audit(
    paths: Paths | Corpus,
    out: str | Path,
    *,
    lines: int | float = 100,
    labels: Sequence[str] | None = None,
    other: str | None = None,
    folds: int = 3,
    preset: str = "default",
    random_state: int = 0,
    verbosity: int = 0,
    format: str | None = None,
    strict: bool = False,
) -> ReviewRound:
    """Write the findings of an audit as a round of review, to be read on its page and merged as any other.

    Parameters
    ----------
    paths : str, Path, iterable of these, or Corpus
        Annotated files, folders or globs, or what ``read_documents`` returned for them.
    out : str or Path
        New folder for the round.
    lines : int or float, default 100
        Number of lines: findings are added, the most probable error first, until there are so many; below 1 a share.
    labels, other, folds, preset, random_state, verbosity
        As for :func:`audit`.
    format : str, optional
        Format of the files, as in ``read_documents``.
    strict : bool, default False
        Whether damaged markup raises an error.

    Returns
    -------
    ReviewRound
        The round; open its ``page`` in a browser.

    Raises
    ------
    DataError
        If ``out`` exists, or the documents cannot be used or contradict no prediction.
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> import tempfile
    >>> from skol_rnn import start_audit
    >>> from skol_rnn.datasets import SAMPLE
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = start_audit(SAMPLE / "train", folder + "/audit", lines=10, preset="instant")
    ...     len(found.lines)
    10
    """
    out = Path(out)
    require_jinja2()
    check_round(out, lines, random_state)
    corpus = paths if isinstance(paths, Corpus) else read_files(paths, format, strict)
    corpus = annotated(corpus)
    documents = describe(corpus, format)
    table, names, posterior = out_of_fold(corpus, None, labels, other, folds, preset, random_state, verbosity)
    true, predicted = names.encode(table["label"]), posterior.argmax(axis=1)
    number = int(lines) if lines >= 1 else max(1, round(lines * len(table)))
    rows: list[int] = []
    found = _findings(table, names, posterior)
    for first, last in zip(found["first"].tolist(), found["last"].tolist(), strict=True):
        rows += range(first, last + 1)
        if len(rows) >= number:
            break
    if not rows:
        raise DataError("No annotation contradicts what the other lines predict: there is nothing to review.")
    candidates = Candidates(
        labels=names,
        probabilities=posterior,
        current=np.where(true == NO_LABEL, predicted, true),
        documents=np.repeat(np.arange(len(documents)), lengths_of(table)),
        texts=table["value"].tolist(),
    )
    score = np.where(true == NO_LABEL, 0.0, 1.0 - posterior[np.arange(len(true)), candidates.current])
    numbers = np.concatenate([line_numbers(document) for document in corpus])
    counts = np.bincount(true[true != NO_LABEL], minlength=len(names))
    rule = {
        "name": "audit",
        "important": dict.fromkeys(rare_labels(counts, names) or list(names), 1.0),
        "lines": lines,
        "preset": preset,
        "folds": folds,
    }
    chosen = ReviewLines(corpus, candidates, predicted, true != NO_LABEL, numbers, score)
    model = {"name": "audit", "fingerprint": ""}
    return write_round(out, chosen, rows[:number], documents, model=model, other=other, rule=rule, seed=random_state)


def annotated(corpus: Corpus) -> Corpus:
    """Return the documents that have labels."""
    found = tuple(one for one in corpus if any(label is not None for label in one.labels or ()))
    if not found:
        raise DataError("No document has a label: give annotated files.")
    return Corpus(found)


def out_of_fold(
    data: Any,
    y: Any,
    labels: Sequence[str] | None,
    other: str | None,
    folds: int,
    preset: str,
    random_state: int,
    verbosity: int,
) -> tuple[pd.DataFrame, LabelSet, np.ndarray]:
    """Return the lines in document order, the labels, and posteriors (lines, labels) of models that did not see a line."""
    if type(folds) is not int or folds < 2:
        raise ValueError(f"folds must be a whole number of at least 2, but is {folds!r}.")
    table = labelled_table(Input.of(data), y, other=other).reset_index(drop=True)
    names = choose_labels(table["label"], labels, other)
    table["label"] = fold_labels(table["label"], names, other, "the data")
    # Copies of a document stay with their original.
    sources, parts = table[copies_with_originals(table) or "doc_id"], table.groupby("doc_id").cumcount() // _PART
    by_document = consecutive_folds(sources.to_numpy(), folds)
    if len(by_document) < folds:
        documents = plural(table["doc_id"].nunique(), "document")
        raise DataError(f"There are {documents} for {folds} folds: give more documents, or fewer folds.")
    number = table.groupby([sources, parts], sort=False).ngroup().to_numpy() % folds
    in_parts = table.assign(doc_id=table["doc_id"] + "#" + parts.astype(str))
    by_part = [np.flatnonzero(number == fold) for fold in range(folds)]
    found = [_predicted(in_parts, names, by_part, {"preset": INSTANT, "random_state": random_state, "verbosity": 0})]
    if preset != INSTANT:
        network = {"preset": preset, "random_state": random_state, "verbosity": verbosity, "folds": 0}
        found.append(_predicted(table, names, by_document, network))
    true = names.encode(table["label"])
    calibrated = (fit_calibration(each, true, "temperature").apply(each) for each in found)
    return table, names, normalised(np.exp(np.mean([log_of(each) for each in calibrated], axis=0)))


def _predicted(
    table: pd.DataFrame, names: LabelSet, parts: Sequence[np.ndarray], settings: Mapping[str, Any]
) -> np.ndarray:
    """Predict each part of the lines with a model of the others."""
    from skol_rnn.model import RNNSkolModel

    posterior = np.zeros((len(table), len(names)))
    for held in parts:
        kept = np.setdiff1d(np.arange(len(table)), held)
        train, part = (table.iloc[rows].drop(columns="order").reset_index(drop=True) for rows in (kept, held))
        model = RNNSkolModel(validation_fraction=0.0, **settings).fit(train, labels=names)
        posterior[held] = model.predict_proba(part.drop(columns="label"))
    return posterior


def _findings(table: pd.DataFrame, names: LabelSet, posterior: np.ndarray) -> pd.DataFrame:
    """Group the lines that are not predicted as annotated, the least probable label first: rows first, last and least."""
    true, predicted = names.encode(table["label"]), posterior.argmax(axis=1)
    doubted = (true != NO_LABEL) & (true != predicted)
    document = np.repeat(np.arange(len(lengths_of(table))), lengths_of(table))
    same = np.zeros(len(true), bool)
    same[1:] = np.all([values[1:] == values[:-1] for values in (true, predicted, document)], axis=0)
    rows = pd.DataFrame({"run": np.cumsum(~same), "row": np.arange(len(true))})[doubted]
    rows["probability"] = posterior[rows["row"], true[doubted]]
    columns = {"least": ("row", "first"), "first": ("row", "min"), "last": ("row", "max")}
    ordered = rows.sort_values("probability", kind="stable").groupby("run", sort=False)
    return ordered.agg(**columns, probability=("probability", "first"))
