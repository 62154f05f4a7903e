"""Sample annotated documents into a table that can be trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import labelled_table
from skol_rnn.imbalance.draws import draw_oversampled, draw_stratified
from skol_rnn.imbalance.rare import RareLabel

SOURCE = "source_doc_id"
"""Column with the name of the document that a row was copied from; the same as ``doc_id`` in an original."""


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
    """Copy the documents that hold a rare label, whole and in order, each copy under a name of its own.

    For training documents only: hold out first what is to judge the model, or copies of one document stand on both
    sides.  Where a split must come later, let it keep rows of one ``source_doc_id`` together.

    Parameters
    ----------
    data : DataFrame, Corpus, list of documents, or path(s)
        Annotated documents, see :func:`skol_rnn.data.inputs.labelled_table`.
    rare_label : str or list of str
        The label by name; of several, lines count together.  None stands for the rarest label that occurs.
    min_count : int, default 1
        Rare lines from which a document is copied.
    replication_factor : int, default 5
        How often such a document appears in all; others appear once.
    y : list of list of str, optional
        Labels of each document's lines, where the data have none.
    label_col, line_no_col : str
        Columns of a table.

    Returns
    -------
    DataFrame
        The shared table with the caller's columns and ``source_doc_id``; each copy follows its original and is
        called ``doc_id#copy2`` and so on.

    Raises
    ------
    ValueError
        If a label is no name or does not occur, no document has enough of its lines, or a number is out of range.
    DataError
        If the data cannot be used or have no labels.

    Examples
    --------
    >>> documents, y = [["Fusella nova", "Thanks"], ["Thanks"]], [["Nomenclature", "Misc"], ["Misc"]]
    >>> table = oversample_documents_with_rare_labels(documents, "Nomenclature", replication_factor=2, y=y)
    >>> table[["doc_id", "line_number", "label"]].values.tolist()
    [['0', 0, 'Nomenclature'], ['0', 1, 'Misc'], ['0#copy2', 0, 'Nomenclature'], ['0#copy2', 1, 'Misc'], ['1', 0, 'Misc']]
    """
    table = labelled_table(data, y, label_col, line_no_col)
    return _drawn(table, draw_oversampled(table["doc_id"], table["label"], rare_label, min_count, replication_factor))


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
        The label by name; of several, lines count together.  None stands for the rarest label that occurs.
    min_count : int, default 1
        Rare lines from which a document is kept in any case.
    fraction : float, default 0.5
        Share of the other documents' lines that is kept, as near as whole documents allow.
    seed : int, default 0
        Seed of the choice, which does not depend on the order of rows.
    y : list of list of str, optional
        Labels of each document's lines, where the data have none.
    label_col, line_no_col : str
        Columns of a table.

    Returns
    -------
    DataFrame
        The shared table of the documents kept, with the caller's columns and ``source_doc_id``.

    Raises
    ------
    ValueError
        If a label is no name or does not occur, no document has enough of its lines, or a number is out of range.
    DataError
        If the data cannot be used or have no labels.

    Examples
    --------
    >>> documents, y = [["Fusella nova"], ["Thanks"]], [["Nomenclature"], ["Misc"]]
    >>> stratified_document_sample(documents, "Nomenclature", fraction=0.0, y=y)["value"].tolist()
    ['Fusella nova']
    """
    table = labelled_table(data, y, label_col, line_no_col)
    return _drawn(table, draw_stratified(table["doc_id"], table["label"], rare_label, min_count, fraction, seed))


def copies_with_originals(table: pd.DataFrame) -> str | None:
    """Return the column by which a split must group documents, so that a copy is never away from its original."""
    return SOURCE if SOURCE in table else None


def _drawn(table: pd.DataFrame, pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """Put the lines of the documents drawn one after the other."""
    rows = table.groupby("doc_id", sort=False).indices
    taken = [rows[source] for _, source in pairs]
    result = table.iloc[np.concatenate(taken)].drop(columns="order").reset_index(drop=True)
    lengths = [len(document) for document in taken]
    # Whoever samples a sample still wants the first source.
    sources = result[SOURCE] if SOURCE in result else result["doc_id"]
    names = np.repeat(np.array([name for name, _ in pairs], dtype=object), lengths)
    return result.assign(**{"doc_id": pd.Series(names, dtype=object), SOURCE: sources})
