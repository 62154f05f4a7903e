"""The table that everything shares, one row per line, the documents it comes from, and splits by document."""

from skol_rnn.documents.columns import lengths_of
from skol_rnn.documents.document import Corpus, Document, Line, Repair, split_lines
from skol_rnn.documents.files import write_atomically
from skol_rnn.documents.splits import document_folds, document_groups, split_documents
from skol_rnn.documents.table import as_table, check_table, collapse_labels

__all__ = [
    "Corpus",
    "Document",
    "Line",
    "Repair",
    "as_table",
    "check_table",
    "collapse_labels",
    "document_folds",
    "document_groups",
    "lengths_of",
    "split_documents",
    "split_lines",
    "write_atomically",
]
