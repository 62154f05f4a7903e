"""Tables of training documents in which documents with a rare label weigh more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import labelled_table
from skol_rnn.imbalance.sampling import RareLabel, Sampling

SOURCE = "source_doc_id"
"""Column with the name of the document that a row was copied from; equal to ``doc_id`` in an original."""


def oversample_documents_with_rare_labels(
    data: Any,
    rare_label: RareLabel,
    min_count: int = 1,
    replication_factor: int = 5,
    *,
    y: Any = None,
    label_col: str = "label",
    line_no_col: str = "line_number",
) -> pd.DataFrame:
    """Copy the documents that hold a rare label, whole and in order, each copy under its own name.

    Only training documents may be copied: split off the validation and test documents first, or copies of one
    document end up on both sides.  A later split must keep the rows of one ``source_doc_id`` together.

    Parameters
    ----------
    data : DataFrame, Corpus, list of documents, or path(s)
        Annotated documents, see :func:`skol_rnn.data.inputs.labelled_table`.
    rare_label : str or list of str
        Name of the label; lines of several labels count together.  None stands for the rarest label that occurs.
    min_count : int, default 1
        Least number of rare lines in a document that is copied.
    replication_factor : int, default 5
        How often such a document appears, the original included; others appear once.
    y : list of list of str, optional
        Labels of each document's lines, if the data have none.
    label_col, line_no_col : str
        Names of the columns of a table.

    Returns
    -------
    DataFrame
        Table of the lines with the caller's columns and ``source_doc_id``; each copy follows its original and is
        named ``doc_id#copy2`` and so on.

    Raises
    ------
    ValueError
        If a label is not text or does not occur, no document has enough of its lines, or a number is out of range.
    DataError
        If the data cannot be read or have no labels.

    Examples
    --------
    >>> documents, y = [["Fusella nova", "Thanks"], ["Thanks"]], [["Nomenclature", "Misc"], ["Misc"]]
    >>> table = oversample_documents_with_rare_labels(documents, "Nomenclature", replication_factor=2, y=y)
    >>> table[["doc_id", "line_number", "label"]].values.tolist()
    [['0', 0, 'Nomenclature'], ['0', 1, 'Misc'], ['0#copy2', 0, 'Nomenclature'], ['0#copy2', 1, 'Misc'], ['1', 0, 'Misc']]
    """
    sampling = Sampling("oversample", rare_label, min_count, replication_factor)
    return _sampled(labelled_table(data, y, label_col, line_no_col), sampling)


def stratified_document_sample(
    data: Any,
    rare_label: RareLabel,
    min_count: int = 1,
    fraction: float = 0.5,
    *,
    seed: int = 0,
    y: Any = None,
    label_col: str = "label",
    line_no_col: str = "line_number",
) -> pd.DataFrame:
    """Keep every document that holds a rare label, and a random share of the others.

    Parameters
    ----------
    data : DataFrame, Corpus, list of documents, or path(s)
        Annotated documents, see :func:`skol_rnn.data.inputs.labelled_table`.
    rare_label : str or list of str
        Name of the label; lines of several labels count together.  None stands for the rarest label that occurs.
    min_count : int, default 1
        Least number of rare lines in a document that is always kept.
    fraction : float, default 0.5
        Share of the other documents' lines to keep, as near as whole documents allow.
    seed : int, default 0
        Seed of the random choice; the order of rows does not matter.
    y : list of list of str, optional
        Labels of each document's lines, if the data have none.
    label_col, line_no_col : str
        Names of the columns of a table.

    Returns
    -------
    DataFrame
        Table of the lines kept, with the caller's columns and ``source_doc_id``.

    Raises
    ------
    ValueError
        If a label is not text or does not occur, no document has enough of its lines, or a number is out of range.
    DataError
        If the data cannot be read or have no labels.

    Examples
    --------
    >>> documents, y = [["Fusella nova"], ["Thanks"]], [["Nomenclature"], ["Misc"]]
    >>> stratified_document_sample(documents, "Nomenclature", fraction=0.0, y=y)["value"].tolist()
    ['Fusella nova']
    """
    sampling = Sampling("stratify", rare_label, min_count, fraction=fraction, seed=seed)
    return _sampled(labelled_table(data, y, label_col, line_no_col), sampling)


def copies_with_originals(table: pd.DataFrame) -> str | None:
    """Return the column by which a split must group documents, so that copies stay with their original."""
    return SOURCE if SOURCE in table else None


def _sampled(table: pd.DataFrame, sampling: Sampling) -> pd.DataFrame:
    """Return the lines of the documents drawn, one document after the other."""
    pairs = sampling.draw(table["doc_id"], table["label"])
    rows = table.groupby("doc_id", sort=False).indices
    taken = [rows[source] for _, source in pairs]
    result = table.iloc[np.concatenate(taken)].drop(columns="order").reset_index(drop=True)
    # A sample of a sample keeps the names of the first sources.
    sources = result[SOURCE] if SOURCE in result else result["doc_id"]
    names = [name for (name, _), document in zip(pairs, taken, strict=True) for _ in document]
    return result.assign(**{"doc_id": pd.Series(names, dtype=object), SOURCE: sources})
