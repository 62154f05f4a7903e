"""CRC-32 of the names of the features of many lines at a time, without making the names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from threading import Lock
from typing import NamedTuple
from zlib import crc32

import numpy as np

from skol_rnn.features.crc import crc_of, joined_crc
from skol_rnn.features.lines.names import LEADING, MAX_CHARACTERS, MAX_TOKENS, TOKEN, affix_features, shape_of, word_of

_TOKEN_OR_END = re.compile(rf"{TOKEN}|\n")
_OWN = 5  # features that a token has wherever it stands, at most
_MOST_TOKENS = 1 << 16  # that are remembered; most tokens of a corpus are a few thousand words

Encode = Callable[[np.ndarray], np.ndarray]


def line_codes(texts: Sequence[str], encode: Encode) -> tuple[np.ndarray, np.ndarray]:
    """Return line and code of each feature of some lines."""
    found = _Tokens.of(texts)
    some = np.flatnonzero(found.n_tokens)
    empty = np.flatnonzero(found.n_tokens == 0)
    parts = [found.own(encode), *((lines, encode(checks)) for lines, checks in (found.pairs(), *found.ends(some)))]
    parts.append((empty, encode(np.full(len(empty), crc32(b"h="), np.uint32))))
    return np.concatenate([lines for lines, _ in parts]), np.concatenate([codes for _, codes in parts])


class _Texts(NamedTuple):
    """CRC-32 and length in bytes of n texts, (n,) each."""

    check: np.ndarray
    length: np.ndarray

    def at(self, rows: np.ndarray) -> _Texts:
        """Return some of them."""
        return _Texts(self.check[rows], self.length[rows])

    def after(self, prefix: str | np.ndarray) -> np.ndarray:
        """Return the CRC-32 of them with a text, or with the texts of such CRC-32, before them."""
        before = np.array([crc32(prefix.encode())], np.uint32) if isinstance(prefix, str) else prefix
        return joined_crc(before, self.check, self.length)

    def and_more(self, *others: _Texts) -> _Texts:
        """Return these texts and then those, as arrays of all."""
        return _Texts(*(np.concatenate(arrays) for arrays in zip(self, *others, strict=True)))


class _Known(NamedTuple):
    """What is known of n tokens."""

    words: _Texts
    shapes: _Texts
    begins: np.ndarray
    own: np.ndarray
    n_own: np.ndarray

    @classmethod
    def of(cls, tokens: Sequence[str]) -> _Known:
        """Find it out."""
        words = [word_of(token) for token in tokens]
        shapes = [shape_of(token) for token in tokens]
        affixes = [affix_features(word) for word in words]
        n_own = np.fromiter(map(len, affixes), np.int32, len(tokens)) + 2
        texts = _Texts(*crc_of(words)), _Texts(*crc_of(shapes))
        own = np.zeros((len(tokens), _OWN), np.uint32)
        own[:, 0], own[:, 1] = texts[0].after("w="), texts[1].after("s=")
        own[:, 2:][np.arange(2, _OWN) < n_own[:, None]] = crc_of(list(chain.from_iterable(affixes)))[0]
        space = np.array([crc32(b" ")], np.uint32)
        return cls(*texts, joined_crc(texts[0].after("b="), space, np.ones(1, np.int32)), own, n_own)

    def and_more(self, other: _Known) -> _Known:
        """Return what is known of these tokens and then those."""
        words, shapes = self.words.and_more(other.words), self.shapes.and_more(other.shapes)
        arrays = (np.concatenate(both) for both in zip(self[2:], other[2:], strict=True))
        return _Known(words, shapes, *arrays)


class _Rows(dict[str, int]):
    """Rows of tokens, each given when it is first asked for."""

    def __missing__(self, token: str) -> int:
        row = self[token] = len(self)
        return row


class _Memory:
    """Tokens that were met, so that the same few thousand words are taken apart once; row 0 is the line end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows, self._known = _Rows({"\n": 0}), _Known.of([""])

    def rows(self, tokens: list[str]) -> tuple[np.ndarray, _Known]:
        """Return the row of each token, and what the rows are of."""
        with self._lock:
            if len(self._rows) > _MOST_TOKENS:
                self._forget()
            n_known = len(self._rows)
            rows = np.fromiter(map(self._rows.__getitem__, tokens), np.int64, len(tokens))
            if len(self._rows) > n_known:
                self._known = self._known.and_more(_Known.of(list(self._rows)[n_known:]))
            return rows, self._known


_MEMORY = _Memory()


class _Tokens(NamedTuple):
    """Tokens of lines, all in a row."""

    line: np.ndarray
    row: np.ndarray
    n_tokens: np.ndarray
    first: np.ndarray
    known: _Known

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Tokens:
        """Cut lines into tokens."""
        # Any white space between tokens is as good as any other; a line end is to say where a line ends.
        short = [text[:MAX_CHARACTERS].replace("\n", " ") for text in texts]
        rows, known = _MEMORY.rows(_TOKEN_OR_END.findall("\n".join(short)))
        is_token = rows != 0
        line = np.cumsum(~is_token)[is_token]
        row = rows[is_token]
        count = np.bincount(line, minlength=len(texts))
        first = np.cumsum(count) - count
        if (count > MAX_TOKENS).any():
            kept = np.arange(len(line)) - first[line] < MAX_TOKENS
            line, row, count = line[kept], row[kept], np.minimum(count, MAX_TOKENS)
            first = np.cumsum(count) - count
        return cls(line, row, count, first, known)

    def own(self, encode: Encode) -> tuple[np.ndarray, np.ndarray]:
        """Return line and code of the features that tokens have wherever they stand."""
        # The same tokens come again and again: the features of each are encoded once.
        occurs = np.bincount(self.row, minlength=len(self.known.own)) > 0
        place = (np.cumsum(occurs) - 1)[self.row]
        codes = encode(self.known.own[occurs].ravel()).reshape(-1, _OWN)[place]  # (tokens, 5)
        n_own = self.known.n_own[self.row]
        return np.repeat(self.line, n_own), codes[np.arange(_OWN) < n_own[:, None]]

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return line and CRC-32 of words that follow one another."""
        pairs = np.flatnonzero(self.line[1:] == self.line[:-1])
        begins = self.known.begins[self.row[pairs]]
        return self.line[pairs], self.known.words.at(self.row[pairs + 1]).after(begins)

    def ends(self, some: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return line and CRC-32 of what is first and last in lines that are not empty."""
        words, shapes = self.known.words, self.known.shapes
        parts = []
        for i in range(LEADING):
            there = np.flatnonzero(self.n_tokens > i)
            rows = self.row[self.first[there] + i]
            parts += [(there, words.at(rows).after(f"{i + 1}=")), (there, shapes.at(rows).after(f"{i + 1}s="))]
        last = self.first + self.n_tokens - 1
        parts.append((some, self._shapes("h=", some, self.first, np.minimum(self.n_tokens, LEADING))))
        parts.append((some, words.at(self.row[last[some]]).after("l=")))
        two = np.minimum(self.n_tokens, 2)
        parts.append((some, self._shapes("t=", some, last + 1 - two, two)))
        return parts

    def _shapes(self, prefix: str, lines: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the CRC-32 of a prefix and, with spaces between them, the shapes of so many tokens from a first on."""
        shapes = self.known.shapes
        checks = shapes.at(self.row[first[lines]]).after(prefix)
        for i in range(1, int(count.max(initial=0))):
            more = np.flatnonzero(count[lines] > i)
            shape = shapes.at(self.row[first[lines[more]] + i])
            checks[more] = _Texts(shape.after(" "), shape.length + 1).after(checks[more])
        return checks
