"""Names of the features of a line, and the CRC-32 of these names for many lines at once, without making the names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain, count, islice
from threading import Lock
from typing import NamedTuple
from zlib import crc32

import numpy as np

from skol_rnn.features.hashing import crc_of, joined_crc

_LEADING = 3  # tokens at the start of a line that have features of their own
_MAX_TOKENS = 200  # of a line, which bounds the work on a line that is a whole file
_MAX_CHARACTERS = 20 * _MAX_TOKENS
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s\ud800-\udfff]")  # word, number, other character but half a surrogate pair
_MAX_CACHED = 1 << 19  # characters: most text consists of some ten thousand pieces between white space
_MAX_FEATURES = 5  # of a token: word, shape and affixes, which do not depend on its position
_HASHES = np.dtype(
    [
        *(("word", "u4"), ("word_bytes", "i4"), ("shape", "u4"), ("shape_bytes", "i4")),
        *(("pair_start", "u4"), ("n_features", "i4"), ("features", "u4", (_MAX_FEATURES,))),
    ]
)
"""CRC-32 and lengths of a token's texts; ``pair_start`` is the word behind "b=" and before a space."""

Encode = Callable[[np.ndarray], np.ndarray]
"""Turns CRC-32 into codes, of which those below 0 are no feature."""
Codes = tuple[np.ndarray, np.ndarray]
"""Line, and CRC-32 or code, of each feature."""


class NamedFeature(NamedTuple):
    """A feature of a line: its name, which is hashed, and what an explanation shows of it."""

    name: str
    kind: str
    what: str


def line_features(text: str) -> list[str]:
    """Name the features of a line in normal form: words, word pairs, affixes, shapes, leading and last tokens."""
    return [feature.name for feature in described_features(text)]


def described_features(text: str) -> list[NamedFeature]:
    """Name the features of a line in normal form, with what they say: affixes and positions of a word are the word's."""
    tokens = _TOKEN.findall(text[:_MAX_CHARACTERS])[:_MAX_TOKENS]
    if not tokens:
        return [NamedFeature("h=", "shape", "")]
    words, shapes, found = [_word(token) for token in tokens], [_shape(token) for token in tokens], list[NamedFeature]()
    for word, shape in zip(words, shapes, strict=True):
        found += [NamedFeature(f"w={word}", "word", word), NamedFeature(f"s={shape}", "shape", shape)]
        found += [NamedFeature(name, "word", word) for name in _affixes(word)]
    pairs = (f"{word} {after}" for word, after in zip(words, words[1:], strict=False))
    found += [NamedFeature(f"b={pair}", "pair", pair) for pair in pairs]
    for i, (word, shape) in enumerate(zip(words[:_LEADING], shapes, strict=False), 1):
        found += [NamedFeature(f"{i}={word}", "word", word), NamedFeature(f"{i}s={shape}", "shape", shape)]
    first, last = " ".join(shapes[:_LEADING]), " ".join(shapes[-2:])
    found += [NamedFeature(f"h={first}", "shape", f"{first} ..."), NamedFeature(f"l={words[-1]}", "word", words[-1])]
    return [*found, NamedFeature(f"t={last}", "shape", f"... {last}")]


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


def _hashes_of(tokens: Sequence[str]) -> np.ndarray:
    hashes, words = np.zeros(len(tokens), _HASHES), [_word(token) for token in tokens]
    affixes = [_affixes(word) for word in words]
    hashes["word"], hashes["word_bytes"] = crc_of(words)
    hashes["shape"], hashes["shape_bytes"] = crc_of([_shape(token) for token in tokens])
    hashes["n_features"] = [2 + len(names) for names in affixes]
    features = hashes["features"]
    features[:, 0], features[:, 1] = _prefixed("w=", hashes, "word"), _prefixed("s=", hashes, "shape")
    features[:, 2:][np.arange(2, _MAX_FEATURES) < hashes["n_features"][:, None]] = crc_of(list(chain(*affixes)))[0]
    hashes["pair_start"] = joined_crc(_prefixed("b=", hashes, "word"), _crc(" "), np.ones(1, np.int32))
    return hashes


def _crc(text: str) -> np.ndarray:
    return np.array([crc32(text.encode())], np.uint32)


def _prefixed(prefix: str, hashes: np.ndarray, text: str) -> np.ndarray:
    """Return the CRC-32 of the words or shapes of tokens behind a prefix."""
    return joined_crc(_crc(prefix), hashes[text], hashes[f"{text}_bytes"])


class _Cache:
    """Tokens of the pieces between white space seen so far, and hashes of the tokens: each is cut and hashed once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clear()

    def _clear(self) -> None:
        self._characters = 0
        self._piece_of: defaultdict[str, int] = defaultdict(count().__next__)
        self._row_of: defaultdict[str, int] = defaultdict(count().__next__)
        self._hashes = _hashes_of([])
        self._rows, self._ends = np.zeros(0, np.int64), np.zeros(1, np.int64)  # rows of the tokens of each piece

    def rows(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return line and row in the hashes of each token, and the hashes."""
        pieces = [text.split() for text in texts]
        n_pieces = np.fromiter(map(len, pieces), np.int64, len(pieces))
        with self._lock:
            if self._characters > _MAX_CACHED:
                self._clear()
            n_known = len(self._piece_of)
            piece = np.fromiter(map(self._piece_of.__getitem__, chain.from_iterable(pieces)), np.int64, n_pieces.sum())
            self._add(list(islice(self._piece_of, n_known, None)))
            first, end = self._ends[piece], self._ends[piece + 1]
            n_tokens = end - first
            until = np.cumsum(n_tokens)
            place = np.repeat(end - until, n_tokens) + np.arange(until[-1] if len(until) else 0)
            line = np.repeat(np.repeat(np.arange(len(pieces)), n_pieces), n_tokens)
            return line, self._rows[place], self._hashes

    def _add(self, pieces: list[str]) -> None:
        if not pieces:
            return
        self._characters += sum(map(len, pieces))
        tokens, n_known = list(map(_TOKEN.findall, pieces)), len(self._row_of)
        rows = np.array(list(map(self._row_of.__getitem__, chain.from_iterable(tokens))), np.int64)
        self._rows = np.concatenate([self._rows, rows])
        self._ends = np.concatenate([self._ends, self._ends[-1] + np.cumsum(list(map(len, tokens)))])
        self._hashes = np.concatenate([self._hashes, _hashes_of(list(islice(self._row_of, n_known, None)))])


_CACHE = _Cache()


class _Tokens(NamedTuple):
    """Tokens of some lines in one sequence: line and row in the hashes of each; first token and number per line."""

    line: np.ndarray
    row: np.ndarray
    first: np.ndarray
    n_tokens: np.ndarray
    hashes: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Tokens:
        line, row, hashes = _CACHE.rows([text[:_MAX_CHARACTERS] for text in texts])
        n_tokens = np.bincount(line, minlength=len(texts))
        if (n_tokens > _MAX_TOKENS).any():
            kept = np.arange(len(line)) - (np.cumsum(n_tokens) - n_tokens)[line] < _MAX_TOKENS
            line, row, n_tokens = line[kept], row[kept], np.minimum(n_tokens, _MAX_TOKENS)
        return cls(line, row, np.cumsum(n_tokens) - n_tokens, n_tokens, hashes)

    def unpositioned(self, encode: Encode) -> Codes:
        """Return line and code of words, shapes and affixes; each distinct token is encoded once."""
        occurs = np.bincount(self.row, minlength=len(self.hashes)) > 0
        index = (np.cumsum(occurs) - 1)[self.row]
        codes = encode(self.hashes["features"][occurs].ravel()).reshape(-1, _MAX_FEATURES)[index]
        n_features = self.hashes["n_features"][self.row]
        return np.repeat(self.line, n_features), codes[np.arange(_MAX_FEATURES) < n_features[:, None]]

    def pairs(self) -> Codes:
        """Return line and CRC-32 of adjacent words."""
        first = np.flatnonzero(self.line[1:] == self.line[:-1])
        start, second = self.hashes["pair_start"][self.row[first]], self.row[first + 1]
        return self.line[first], joined_crc(start, self.hashes["word"][second], self.hashes["word_bytes"][second])

    def ends(self) -> list[Codes]:
        """Return line and CRC-32 of the leading and last tokens of lines that are not empty."""
        parts = []
        for i in range(_LEADING):
            lines = np.flatnonzero(self.n_tokens > i)
            hashes = self.hashes[self.row[self.first[lines] + i]]
            for key, text in (("", "word"), ("s", "shape")):
                parts.append((lines, _prefixed(f"{i + 1}{key}=", hashes, text)))
        lines = np.flatnonzero(self.n_tokens)
        first, n_tokens = self.first[lines], self.n_tokens[lines]
        end, two = first + n_tokens, np.minimum(n_tokens, 2)
        leading = self._shape_sequence("h=", first, np.minimum(n_tokens, _LEADING))
        last_word = _prefixed("l=", self.hashes[self.row[end - 1]], "word")
        last_shapes = self._shape_sequence("t=", end - two, two)
        return [*parts, (lines, leading), (lines, last_word), (lines, last_shapes)]

    def _shape_sequence(self, prefix: str, first: np.ndarray, n_tokens: np.ndarray) -> np.ndarray:
        """Return the CRC-32 of a prefix and the shapes of some tokens from each ``first`` on, joined by spaces."""
        crc = _prefixed(prefix, self.hashes[self.row[first]], "shape")
        for i in range(1, int(n_tokens.max(initial=0))):
            more = np.flatnonzero(n_tokens > i)
            hashes = self.hashes[self.row[first[more] + i]]
            crc[more] = joined_crc(crc[more], _prefixed(" ", hashes, "shape"), hashes["shape_bytes"] + 1)
        return crc
