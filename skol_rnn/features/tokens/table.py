"""Columns of a table of tokens, worked out once for all features: distinct words, documents, sentences, paragraphs."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from skol_rnn.data.table import Lines
from skol_rnn.features.base import distinct, normal_forms

LINE_END, BLANK_LINE = 2, 3
"""Values of ``break_before``: a line end, and a blank line or paragraph; 1 is a space and 0 nothing."""

_SENTENCE_ENDS = frozenset(".!?")


class Tokens:
    """Tokens of a table: text, index of the word among the distinct ones, and index of the document."""

    def __init__(self, table: Lines) -> None:
        self.values = np.asarray(table["value"], dtype=object)
        self.word, words = distinct(self.values)
        self.words = normal_forms(words)
        self.document = distinct(table["doc_id"])[0]
        spaces = np.ones(len(self), np.int64)
        self.break_before = np.asarray(table["break_before"], np.int64) if "break_before" in table else spaces

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def starts_document(self) -> np.ndarray:
        """Whether each token is the first of its document."""
        return np.diff(self.document, prepend=-1) != 0

    @cached_property
    def starts_paragraph(self) -> np.ndarray:
        """Whether each token is the first of its paragraph."""
        return self.starts_document | (self.break_before == BLANK_LINE)

    @cached_property
    def sentence(self) -> np.ndarray:
        """Index of each token's sentence, through all documents."""
        parted = self.starts_document | (self.break_before >= LINE_END)
        starts, ended = parted.copy(), False
        for i, (value, gap) in enumerate(zip(self.values, self.break_before, strict=True)):
            if parted[i] or (ended and gap):
                starts[i], ended = True, False
            if value in _SENTENCE_ENDS:
                ended = True
            elif gap or value.isalnum():
                ended = False
        return np.cumsum(starts) - 1

    def shifted(self, values: np.ndarray, steps: int, fill: int = 0) -> np.ndarray:
        """Return the values of the token ``steps`` before, and ``fill`` where the document has none."""
        source = np.arange(len(self)) - steps
        inside = np.clip(source, 0, max(len(self) - 1, 0))
        result = values[inside]
        result[(source != inside) | (self.document[inside] != self.document)] = fill
        return result


def count_in_group(group: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Count how often each token's code occurs in its group."""
    pairs = group.astype(np.int64) * (codes.max(initial=0) + 1) + codes
    _, inverse, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return counts[inverse]
