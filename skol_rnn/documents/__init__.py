"""The table that everything shares, one row per line or token, the documents it comes from, and splits by document.

What needs pandas is imported when it is first asked for: prediction from a saved model does without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from skol_rnn.documents.columns import lengths_of
from skol_rnn.documents.document import Corpus, Document, Line, Repair, breaks_before, line_labels, split_lines
from skol_rnn.documents.files import write_atomically
from skol_rnn.documents.tokens import UNITS, Tokeniser, by_unit, document_spans, find_tokens, tokenise

if TYPE_CHECKING:
    from skol_rnn.documents.splits import document_folds, document_groups, split_documents
    from skol_rnn.documents.table import as_table, check_table, collapse_labels

__all__ = [
    "Corpus",
    "Document",
    "Line",
    "Repair",
    "Tokeniser",
    "UNITS",
    "as_table",
    "breaks_before",
    "by_unit",
    "check_table",
    "collapse_labels",
    "document_folds",
    "document_groups",
    "lengths_of",
    "document_spans",
    "find_tokens",
    "line_labels",
    "split_documents",
    "split_lines",
    "tokenise",
    "write_atomically",
]

_HOME = {
    "as_table": "table",
    "check_table": "table",
    "collapse_labels": "table",
    "document_folds": "splits",
    "document_groups": "splits",
    "split_documents": "splits",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"skol_rnn.documents.{_HOME[name]}"), name)
    raise AttributeError(f"module 'skol_rnn.documents' has no attribute {name!r}")
