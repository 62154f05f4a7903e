"""Layout numbers of a token: characters, place in sentence, paragraph and document, quotation marks around it."""

from __future__ import annotations

import re

import numpy as np

from skol_rnn.features.tokens.table import BLANK_LINE, LINE_END, Tokens, count_in_group

# Caps keep documents longer than any training document within the range seen in training.
_MAX_PLACE, _MAX_COUNT = 200, 20

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


def token_layout_numbers(tokens: Tokens) -> np.ndarray:
    """Describe how each token looks and where it stands, whatever its word; shape (tokens, columns)."""
    if not len(tokens):
        return np.zeros((0, len(TOKEN_LAYOUT_NAMES)), np.float32)
    characters = np.array([_character_numbers(word) for word in tokens.words], np.float32)[tokens.word]
    document, paragraph = tokens.document, np.cumsum(tokens.starts_paragraph) - 1
    before = np.where(tokens.starts_document, BLANK_LINE, tokens.break_before)
    after = np.append(before[1:], BLANK_LINE)
    columns = [
        *(before == kind for kind in (0, LINE_END, BLANK_LINE)),
        *(after == kind for kind in (0, LINE_END, BLANK_LINE)),
        *_sentence_numbers(tokens, characters[:, 1]),
        _quoted(tokens),
        np.log1p(np.minimum(_place(paragraph), _MAX_PLACE)),
        _place(document) / np.bincount(document)[document],
        paragraph == paragraph[tokens.starts_document][document],
        np.log1p(np.minimum(count_in_group(document, tokens.word) - 1, _MAX_COUNT)),
        np.log1p(count_in_group(tokens.sentence, tokens.word) - 1),
    ]
    return np.concatenate([characters, np.stack([np.asarray(c, np.float32) for c in columns], axis=1)], axis=1)


def _character_numbers(word: str) -> tuple[float, ...]:
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


def _sentence_numbers(tokens: Tokens, starts_upper: np.ndarray) -> list[np.ndarray]:
    sentence, place = tokens.sentence, _place(tokens.sentence)
    size = np.bincount(sentence)
    capitals = np.bincount(sentence, starts_upper) / size
    asks, exclaims = (np.bincount(sentence, tokens.values == mark)[sentence] > 0 for mark in "?!")
    left = size[sentence] - place - 1
    length = np.log1p(size)[sentence]
    return [place == 0, np.log1p(place), np.log1p(left), length, capitals[sentence], asks, exclaims]


def _quoted(tokens: Tokens) -> np.ndarray:
    """Return which tokens are in quotation marks; an open quotation ends with the paragraph."""
    quoted, is_open = np.zeros(len(tokens), bool), False
    for i, value in enumerate(tokens.values):
        is_open = is_open and not tokens.starts_paragraph[i]
        if value in _OPENING or (value == _EITHER and not is_open):
            quoted[i] = is_open = True
        else:
            quoted[i] = is_open
            is_open = is_open and value not in _CLOSING and value != _EITHER
    return quoted
