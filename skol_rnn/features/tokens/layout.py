"""Layout numbers of a token: characters, place in sentence, paragraph and document, quotation marks around it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from skol_rnn.features.tokens.table import BLANK_LINE, LINE_END, Tokens, count_in_group

# Caps keep documents longer than any training document within the range seen in training.
_MAX_PLACE, _MAX_COUNT = 200, 20

_ROMAN = re.compile(r"^[IVXLC]{2,}$")
_OPENING, _CLOSING, _EITHER = frozenset("“«„"), frozenset("”»"), '"'


def token_layout_numbers(tokens: Tokens) -> np.ndarray:
    """Describe how each token looks and where it stands, whatever its word; shape (tokens, columns)."""
    if not len(tokens):
        return np.zeros((0, len(TOKEN_LAYOUT_NAMES)), np.float32)
    return np.stack([np.asarray(column, np.float32) for column in _columns(tokens).values()], axis=1)


def _columns(tokens: Tokens) -> dict[str, np.ndarray]:
    document, sentence, paragraph = tokens.document, tokens.sentence, np.cumsum(tokens.starts_paragraph) - 1
    before = np.where(tokens.starts_document, BLANK_LINE, tokens.break_before)
    after = np.append(before[1:], BLANK_LINE)
    characters = {name: np.array(list(map(of, tokens.words)), np.float32)[tokens.word] for name, of in _OF_WORD.items()}
    place, size = _place(sentence), np.bincount(sentence)
    asks, exclaims = (np.bincount(sentence, tokens.values == mark)[sentence] > 0 for mark in "?!")
    return {
        **characters,
        "glued to token before": before == 0,
        "line end before": before == LINE_END,
        "blank line before": before == BLANK_LINE,
        "glued to token after": after == 0,
        "line end after": after == LINE_END,
        "blank line after": after == BLANK_LINE,
        "first of sentence": place == 0,
        "place in sentence": np.log1p(place),
        "tokens left in sentence": np.log1p(size[sentence] - place - 1),
        "log sentence length": np.log1p(size)[sentence],
        "capital words share of sentence": (np.bincount(sentence, characters["starts upper"]) / size)[sentence],
        "sentence asks": asks,
        "sentence exclaims": exclaims,
        "in quotation marks": _quoted(tokens),
        "place in paragraph": np.log1p(np.minimum(_place(paragraph), _MAX_PLACE)),
        "place in document": _place(document) / np.bincount(document)[document],
        "first paragraph": paragraph == paragraph[tokens.starts_document][document],
        "word count in document": np.log1p(np.minimum(count_in_group(document, tokens.word) - 1, _MAX_COUNT)),
        "word count in sentence": np.log1p(count_in_group(sentence, tokens.word) - 1),
    }


_OF_WORD: dict[str, Callable[[str], float]] = {
    "log length": lambda word: np.log1p(len(word)),
    "starts upper": lambda word: word[:1].isupper(),
    "all capitals": lambda word: len(word) > 1 and word.isupper() and not _ROMAN.match(word),
    "has digit": lambda word: any(character.isdigit() for character in word),
    "is punctuation": lambda word: not any(character.isalnum() for character in word),
}


def _place(group: np.ndarray) -> np.ndarray:
    """Count the tokens before each one in its group; groups are numbered in order, without gaps."""
    sizes = np.bincount(group)
    return np.arange(len(group)) - (np.cumsum(sizes) - sizes)[group]


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


TOKEN_LAYOUT_NAMES = tuple(_columns(Tokens({"doc_id": ["a"], "value": ["a"]})))
"""Names of the columns of :func:`token_layout_numbers`, in order."""
