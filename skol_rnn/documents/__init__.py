"""The table that everything shares, one row per line or token, the documents it comes from, and splits by document."""

from skol_rnn.documents.document import Corpus, Document, Line, Repair, breaks_before, line_labels, split_lines
from skol_rnn.documents.files import write_atomically
from skol_rnn.documents.splits import document_folds, document_groups, split_documents
from skol_rnn.documents.table import as_table, check_table, collapse_labels
from skol_rnn.documents.tokens import UNITS, Tokeniser, by_unit, document_spans, find_tokens, tokenise

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
    "document_spans",
    "find_tokens",
    "line_labels",
    "split_documents",
    "split_lines",
    "tokenise",
    "write_atomically",
]
