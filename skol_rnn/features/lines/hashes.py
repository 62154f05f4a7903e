"""Names of the features of a line, and the CRC-32 of these names for many lines at once, without making the names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain, count
from threading import Lock
from typing import NamedTuple
from zlib import crc32

import numpy as np

from skol_rnn.features.hashing import crc_of, joined_crc

_LEADING = 3  # tokens at the start of a line that have features of their own
_MAX_TOKENS = 200  # of a line, which bounds the work on a line that is a whole file
_MAX_CHARACTERS = 20 * _MAX_TOKENS
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s\ud800-\udfff]")  # word, number, other character but half a surrogate pair
_TOKEN_OR_END = re.compile(rf"{_TOKEN.pattern}|\n")
_MAX_TOKEN_FEATURES = 5  # features of a token that do not depend on its position
_MAX_CACHED_TOKENS = 1 << 16  # most tokens of a corpus are a few thousand words
_SPACE = crc32(b" ")

Encode = Callable[[np.ndarray], np.ndarray]
"""Turns CRC-32 into codes, of which those below 0 are no feature."""
Codes = tuple[np.ndarray, np.ndarray]
"""Line, and CRC-32 or code, of each feature."""


def line_features(text: str) -> list[str]:
    """Name the features of a line in normal form: words, word pairs, affixes, shapes, leading and last tokens."""
    tokens = _TOKEN.findall(text[:_MAX_CHARACTERS])[:_MAX_TOKENS]
    if not tokens:
        return ["h="]
    words, shapes = [_word(token) for token in tokens], [_shape(token) for token in tokens]
    names = []
    for word, shape in zip(words, shapes, strict=True):
        names += [f"w={word}", f"s={shape}", *_affixes(word)]
    names += [f"b={word} {after}" for word, after in zip(words, words[1:], strict=False)]
    for i, (word, shape) in enumerate(zip(words[:_LEADING], shapes, strict=False), 1):
        names += [f"{i}={word}", f"{i}s={shape}"]
    return [*names, f"h={' '.join(shapes[:_LEADING])}", f"l={words[-1]}", f"t={' '.join(shapes[-2:])}"]


def _affixes(word: str) -> list[str]:
    return [f"p={word[:3]}", f"e={word[-3:]}", f"E={word[-4:]}"] if len(word) > 4 else []


def _word(token: str) -> str:
    """Fold the case of a token; a number becomes as many zeros as it has digits, up to five."""
    return "0" * min(len(token), 5) if token.isdigit() else token.casefold()


def _shape(token: str) -> str:
    if token.isdigit():
        return "0" * min(len(token), 5)
    if not token.isalpha():
        return token
    if token.isupper():
        return "X" if len(token) == 1 else "XX"
    return "Xx" if token[0].isupper() else "x"


def line_codes(texts: Sequence[str], encode: Encode) -> Codes:
    """Return line and code of each feature of some lines, as :func:`line_features` names them."""
    tokens = _Tokens.of(texts)
    empty = np.flatnonzero(tokens.n_tokens == 0)
    hashed = [tokens.pairs(), *tokens.ends(), (empty, np.full(len(empty), crc32(b"h="), np.uint32))]
    parts = [tokens.unpositioned(encode), *((lines, encode(hashes)) for lines, hashes in hashed)]
    return np.concatenate([lines for lines, _ in parts]), np.concatenate([codes for _, codes in parts])


class _Hashed(NamedTuple):
    """CRC-32 and length in bytes of n texts, (n,) each."""

    crc: np.ndarray
    length: np.ndarray

    def at(self, rows: np.ndarray) -> _Hashed:
        return _Hashed(self.crc[rows], self.length[rows])

    def after(self, prefix: str | np.ndarray) -> np.ndarray:
        """Return the CRC-32 of each text behind a prefix, which is a text or an array of CRC-32."""
        crc = np.array([crc32(prefix.encode())], np.uint32) if isinstance(prefix, str) else prefix
        return joined_crc(crc, self.crc, self.length)


class _Vocabulary(NamedTuple):
    """Hashes of n distinct tokens: word, shape, word behind "b=" and a space, and unpositioned features."""

    words: _Hashed
    shapes: _Hashed
    pair_starts: np.ndarray
    features: np.ndarray
    n_features: np.ndarray

    @classmethod
    def of(cls, tokens: Sequence[str]) -> _Vocabulary:
        texts = [_word(token) for token in tokens]
        words, shapes = _Hashed(*crc_of(texts)), _Hashed(*crc_of([_shape(token) for token in tokens]))
        affixes = [_affixes(word) for word in texts]
        n_features = np.fromiter(map(len, affixes), np.int32, len(tokens)) + 2
        features = np.zeros((len(tokens), _MAX_TOKEN_FEATURES), np.uint32)
        features[:, 0], features[:, 1] = words.after("w="), shapes.after("s=")
        features[:, 2:][np.arange(2, _MAX_TOKEN_FEATURES) < n_features[:, None]] = crc_of(list(chain(*affixes)))[0]
        starts = joined_crc(words.after("b="), np.array([_SPACE], np.uint32), np.ones(1, np.int32))
        return cls(words, shapes, starts, features, n_features)

    def extended(self, other: _Vocabulary) -> _Vocabulary:
        words, shapes = (_Hashed(*map(np.concatenate, zip(*pair, strict=True))) for pair in zip(self[:2], other[:2]))
        return _Vocabulary(words, shapes, *map(np.concatenate, zip(self[2:], other[2:], strict=True)))


class _Cache:
    """Hashes of the tokens seen so far, so that each distinct token is hashed once; row 0 is the line end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clear()

    def _clear(self) -> None:
        self._row_of, self._vocabulary = defaultdict(count(1).__next__, {"\n": 0}), _Vocabulary.of([""])

    def rows(self, tokens: list[str]) -> tuple[np.ndarray, _Vocabulary]:
        """Return each token's row in the vocabulary, and the vocabulary."""
        with self._lock:
            if len(self._row_of) > _MAX_CACHED_TOKENS:
                self._clear()
            n_known = len(self._row_of)
            rows = np.fromiter(map(self._row_of.__getitem__, tokens), np.int64, len(tokens))
            if len(self._row_of) > n_known:
                self._vocabulary = self._vocabulary.extended(_Vocabulary.of(list(self._row_of)[n_known:]))
            return rows, self._vocabulary


_CACHE = _Cache()


class _Tokens(NamedTuple):
    """Tokens of some lines in one sequence: line and vocabulary row of each; number and first token of each line."""

    line: np.ndarray
    row: np.ndarray
    n_tokens: np.ndarray
    first: np.ndarray
    vocabulary: _Vocabulary

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Tokens:
        # Tokens are the same whatever white space separates them; a line end is reserved for the end of a text.
        short = [text[:_MAX_CHARACTERS].replace("\n", " ") for text in texts]
        rows, vocabulary = _CACHE.rows(_TOKEN_OR_END.findall("\n".join(short)))
        is_token = rows != 0
        line, row = np.cumsum(~is_token)[is_token], rows[is_token]
        n_tokens = np.bincount(line, minlength=len(texts))
        first = np.cumsum(n_tokens) - n_tokens
        if (n_tokens > _MAX_TOKENS).any():
            kept = np.arange(len(line)) - first[line] < _MAX_TOKENS
            line, row, n_tokens = line[kept], row[kept], np.minimum(n_tokens, _MAX_TOKENS)
            first = np.cumsum(n_tokens) - n_tokens
        return cls(line, row, n_tokens, first, vocabulary)

    def unpositioned(self, encode: Encode) -> Codes:
        """Return line and code of words, shapes and affixes; each distinct token is encoded once."""
        occurs = np.bincount(self.row, minlength=len(self.vocabulary.features)) > 0
        index = (np.cumsum(occurs) - 1)[self.row]
        codes = encode(self.vocabulary.features[occurs].ravel()).reshape(-1, _MAX_TOKEN_FEATURES)[index]
        n_features = self.vocabulary.n_features[self.row]
        return np.repeat(self.line, n_features), codes[np.arange(_MAX_TOKEN_FEATURES) < n_features[:, None]]

    def pairs(self) -> Codes:
        """Return line and CRC-32 of adjacent words."""
        first = np.flatnonzero(self.line[1:] == self.line[:-1])
        starts = self.vocabulary.pair_starts[self.row[first]]
        return self.line[first], self.vocabulary.words.at(self.row[first + 1]).after(starts)

    def ends(self) -> list[Codes]:
        """Return line and CRC-32 of the leading and last tokens of lines that are not empty."""
        words, shapes = self.vocabulary.words, self.vocabulary.shapes
        parts = []
        for i in range(_LEADING):
            lines = np.flatnonzero(self.n_tokens > i)
            rows = self.row[self.first[lines] + i]
            parts += [(lines, words.at(rows).after(f"{i + 1}=")), (lines, shapes.at(rows).after(f"{i + 1}s="))]
        lines = np.flatnonzero(self.n_tokens)
        end, two = self.first + self.n_tokens, np.minimum(self.n_tokens, 2)
        parts.append((lines, self._shapes("h=", lines, self.first, np.minimum(self.n_tokens, _LEADING))))
        parts.append((lines, words.at(self.row[end[lines] - 1]).after("l=")))
        parts.append((lines, self._shapes("t=", lines, end - two, two)))
        return parts

    def _shapes(self, prefix: str, lines: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the CRC-32 of a prefix and ``count`` shapes, joined by spaces, from token ``first`` on."""
        shapes = self.vocabulary.shapes
        hashes = shapes.at(self.row[first[lines]]).after(prefix)
        for i in range(1, int(count.max(initial=0))):
            more = np.flatnonzero(count[lines] > i)
            shape = shapes.at(self.row[first[lines[more]] + i])
            hashes[more] = _Hashed(shape.after(" "), shape.length + 1).after(hashes[more])
        return hashes
