"""Layout numbers of a token: its characters, its place in sentence, paragraph and document, quotation marks around it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from skol_rnn.features.base import normal_form

SENTENCE_ENDS = frozenset(".!?")
LINE_END, BLANK_LINE = 2, 3
"""Values of ``break_before``: a line end, and a blank line or paragraph; 1 is a space and 0 nothing."""

# A document longer than all of training must not look like nothing that was seen there.
_FAR, _OFTEN = 200, 20

_ROMAN = re.compile(r"^[IVXLC]{2,}$")
_OPENING, _CLOSING, _EITHER = frozenset("“«„"), frozenset("”»"), '"'

TOKEN_LAYOUT_NAMES = (
    "log length",
    "starts upper",
    "all capitals",
    "has digit",
    "is punctuation",
    "glued to token before",
    "line end before",
    "blank line before",
    "glued to token after",
    "line end after",
    "blank line after",
    "first of sentence",
    "place in sentence",
    "tokens left in sentence",
    "log sentence length",
    "capital words share of sentence",
    "sentence asks",
    "sentence exclaims",
    "in quotation marks",
    "place in paragraph",
    "place in document",
    "first paragraph",
    "word count in document",
    "word count in sentence",
)
"""Names of the columns of :func:`token_layout_numbers`, in order."""


def token_layout_numbers(table: pd.DataFrame) -> np.ndarray:
    """Describe how each token looks and where it stands, whatever its word."""
    if table.empty:
        return np.zeros((0, len(TOKEN_LAYOUT_NAMES)), np.float32)
    codes, words = pd.factorize(table["value"])
    own = np.array([_own_numbers(normal_form(word)) for word in words], np.float32)[codes]
    document = pd.factorize(table["doc_id"])[0]
    first = np.append(True, document[1:] != document[:-1])
    before = np.where(first, BLANK_LINE, breaks(table))
    after = np.append(before[1:], BLANK_LINE)
    sentence, paragraph = sentences(table), np.cumsum(before == BLANK_LINE) - 1
    columns = [
        *(before == kind for kind in (0, LINE_END, BLANK_LINE)),
        *(after == kind for kind in (0, LINE_END, BLANK_LINE)),
        *_in_sentence(table, sentence, own),
        _quoted(table["value"].to_numpy(), paragraph),
        np.log1p(np.minimum(_place(paragraph), _FAR)),
        _place(document) / np.bincount(document)[document],
        paragraph == paragraph[first][document],
        np.log1p(np.minimum(_same(document, codes) - 1, _OFTEN)),
        np.log1p(_same(sentence, codes) - 1),
    ]
    return np.concatenate([own, np.stack([np.asarray(c, np.float32) for c in columns], axis=1)], axis=1)


def breaks(table: pd.DataFrame) -> np.ndarray:
    """Return what stands before each token, shape (tokens,); a space where the table does not say."""
    if "break_before" in table:
        return table["break_before"].to_numpy(dtype=np.int64)
    return np.ones(len(table), np.int64)


def sentences(table: pd.DataFrame) -> np.ndarray:
    """Count the sentences through all documents."""
    document, values, before = table["doc_id"].to_numpy(), table["value"].to_numpy(), breaks(table)
    parted = np.append(True, document[1:] != document[:-1]) | (before >= LINE_END)
    starts, ended = parted.copy(), False
    for i, value in enumerate(values):
        if parted[i] or (ended and before[i]):
            starts[i], ended = True, False
        if value in SENTENCE_ENDS:
            ended = True
        elif before[i] or value.isalnum():
            ended = False
    return np.cumsum(starts) - 1


def shifted(values: np.ndarray, document: np.ndarray, steps: int, fill: int = 0) -> np.ndarray:
    """Move values on by some tokens, inside documents."""
    place = np.arange(len(values)) - steps
    there = np.clip(place, 0, max(len(values) - 1, 0))
    inside = (place == there) & (document[there] == document)
    result = values[there]
    result[~inside] = fill
    return result


def _own_numbers(word: str) -> tuple[float, ...]:
    return (
        np.log1p(len(word)),
        word[:1].isupper(),
        len(word) > 1 and word.isupper() and not _ROMAN.match(word),
        any(character.isdigit() for character in word),
        not any(character.isalnum() for character in word),
    )


def _place(group: np.ndarray) -> np.ndarray:
    """Count the tokens before each one in its group; groups are numbered in order, without gaps."""
    sizes = np.bincount(group)
    return np.arange(len(group)) - (np.cumsum(sizes) - sizes)[group]


def _in_sentence(table: pd.DataFrame, sentence: np.ndarray, own: np.ndarray) -> list[np.ndarray]:
    values, size = table["value"], np.bincount(sentence)
    place = _place(sentence)
    capitals = np.bincount(sentence, own[:, 1]) / size

    def holds(mark: str) -> np.ndarray:
        return np.bincount(sentence, (values == mark).to_numpy(dtype=float))[sentence] > 0

    left = size[sentence] - place - 1
    length = np.log1p(size)[sentence]
    return [place == 0, np.log1p(place), np.log1p(left), length, capitals[sentence], holds("?"), holds("!")]


def _quoted(values: np.ndarray, paragraph: np.ndarray) -> np.ndarray:
    """Tell which tokens stand in quotation marks; marks that were left open end with the paragraph."""
    quoted, depth = np.zeros(len(values), bool), 0
    for i, value in enumerate(values):
        if i and paragraph[i] != paragraph[i - 1]:
            depth = 0
        if value in _OPENING or (value == _EITHER and not depth):
            depth = 1
            quoted[i] = True
        elif value in _CLOSING or value == _EITHER:
            quoted[i], depth = depth > 0, 0
        else:
            quoted[i] = depth > 0
    return quoted


def _same(group: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Count how often each token's word occurs in its group."""
    pairs = group.astype(np.int64) * (codes.max(initial=0) + 1) + codes
    _, inverse, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return counts[inverse]
