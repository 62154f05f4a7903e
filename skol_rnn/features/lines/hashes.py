"""Names of the features of a line, and the CRC-32 of these names for many lines at once, without making the names."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple
from zlib import crc32

import numpy as np

from skol_rnn.features.base import distinct
from skol_rnn.features.hashing import MAX_STEP, byte_terms, crc_of, joined_crc, prefixed_crc, spaced_crc, zeros_crc
from skol_rnn.features.lines.characters import (
    DECIMAL,
    KIND,
    PART_OF_NO_TOKEN,
    SPACE,
    UPPER,
    WORD,
    Characters,
)

_LEADING = 3  # tokens at the start of a line that have features of their own
_MAX_TOKENS = 200  # of a line, which bounds the work on a line that is a whole file
_MAX_CHARACTERS = 20 * _MAX_TOKENS
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s\ud800-\udfff]")  # word, number, other character but half a surrogate pair
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
    tokens = _TOKEN.findall(text.strip()[:_MAX_CHARACTERS])[:_MAX_TOKENS]
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


def line_codes(characters: Characters, encode: Encode) -> Codes:
    """Return line and code of each feature of some lines, as :func:`line_features` names them."""
    tokens = _Tokens.of(characters)
    empty = np.flatnonzero(tokens.n_tokens == 0).astype(np.int32)
    hashed = [tokens.unpositioned(), tokens.pairs(), *tokens.ends(), (empty, np.full(len(empty), crc32(b"h="), "u4"))]
    lines, hashes = (np.concatenate(arrays) for arrays in zip(*hashed, strict=True))
    return lines, encode(hashes)


_NONE, _LETTERS, _NUMBER, _CHARACTER = range(4)


def _kind(flags: int) -> int:
    """Return the kind of token that a character belongs to."""
    if flags & PART_OF_NO_TOKEN or flags & KIND == SPACE:
        return _NONE
    return _NUMBER if flags & DECIMAL else _LETTERS if flags & WORD else _CHARACTER


_KINDS = bytes(map(_kind, range(256)))  # by flags
_FOLDED = bytes(range(128)).lower().translate(bytes.maketrans(b"123456789", b"0" * 9)) + bytes(128)
"""Of ASCII characters, as :func:`_word` folds them."""
_NO_AFFIXES = np.array([crc32(b"p=\0\0\0"), crc32(b"e=\0\0\0"), crc32(b"E=\0\0\0\0")], np.uint32)
_SHAPES, _SHAPES_BYTES = crc_of(("x", "Xx", "XX", "X"))  # of words


class _Tokens(NamedTuple):
    """Tokens of some lines in one sequence; CRC-32 and bytes of their words and shapes; first token and number per line."""

    line: np.ndarray
    first: np.ndarray
    n_tokens: np.ndarray
    word: np.ndarray
    word_bytes: np.ndarray
    shape: np.ndarray
    shape_bytes: np.ndarray
    affixes: np.ndarray  # (3, tokens), with their prefixes
    has_affixes: np.ndarray

    @classmethod
    def of(cls, characters: Characters) -> _Tokens:
        """Cut lines into tokens, and hash them."""
        if characters.size.max(initial=0) > _MAX_CHARACTERS:
            characters = Characters.of([body[:_MAX_CHARACTERS] for body in characters.bodies])
        bodies, text, ascii_bytes, codes, flags, starts, size = characters
        kinds = np.frombuffer(flags.tobytes().translate(_KINDS), np.uint8)
        # A token begins or ends between two characters that differ in kind, and around each other character.
        edges = np.flatnonzero((kinds[1:] != kinds[:-1]) | (kinds[1:] == _CHARACTER)) + 1
        start = edges.take(np.flatnonzero(kinds.take(edges)))  # where the kind is not _NONE
        end = edges.take(np.flatnonzero(kinds.take(edges - 1)))
        until = np.searchsorted(start, starts + size)
        n_tokens = np.diff(until, prepend=0)
        line = np.repeat(np.arange(len(bodies), dtype=np.int32), n_tokens)
        if (n_tokens > _MAX_TOKENS).any():
            kept = np.arange(len(line)) - (until - n_tokens)[line] < _MAX_TOKENS
            start, end, line, n_tokens = start[kept], end[kept], line[kept], np.minimum(n_tokens, _MAX_TOKENS)
        hashes = _ascii_hashes(ascii_bytes, flags, kinds.take(start), start, end)
        _hash_others(hashes, text, codes, start, end)
        return cls(line, np.cumsum(n_tokens) - n_tokens, n_tokens, *hashes)

    def unpositioned(self) -> Codes:
        """Return line and CRC-32 of words, shapes and affixes."""
        have = np.flatnonzero(self.has_affixes)
        n_features = 2 + len(self.affixes) * self.has_affixes
        place = np.cumsum(n_features) - n_features
        features = np.empty(n_features.sum(), np.uint32)
        features[place] = prefixed_crc("w=", self.word, self.word_bytes)
        features[place + 1] = prefixed_crc("s=", self.shape, self.shape_bytes)
        place = place.take(have) + 2
        for i, affix in enumerate(self.affixes):
            features[place + i] = affix.take(have)
        return np.repeat(self.line, n_features), features

    def pairs(self) -> Codes:
        """Return line and CRC-32 of adjacent words."""
        first = np.flatnonzero(self.line[1:] == self.line[:-1])
        start = prefixed_crc("b=", self.word[first], self.word_bytes[first])
        return self.line[first], joined_crc(spaced_crc(start), self.word[first + 1], self.word_bytes[first + 1])

    def ends(self) -> list[Codes]:
        """Return line and CRC-32 of the leading and last tokens of lines that are not empty."""
        parts = []
        for i in range(_LEADING):
            lines = np.flatnonzero(self.n_tokens > i).astype(np.int32)
            at = self.first[lines] + i
            parts.append((lines, prefixed_crc(f"{i + 1}=", self.word[at], self.word_bytes[at])))
            parts.append((lines, prefixed_crc(f"{i + 1}s=", self.shape[at], self.shape_bytes[at])))
        lines = np.flatnonzero(self.n_tokens).astype(np.int32)
        first, n_tokens = self.first[lines], self.n_tokens[lines]
        end, two = first + n_tokens, np.minimum(n_tokens, 2)
        leading = self._shape_sequence("h=", first, np.minimum(n_tokens, _LEADING))
        last_word = prefixed_crc("l=", self.word[end - 1], self.word_bytes[end - 1])
        last_shapes = self._shape_sequence("t=", end - two, two)
        return [*parts, (lines, leading), (lines, last_word), (lines, last_shapes)]

    def _shape_sequence(self, prefix: str, first: np.ndarray, n_tokens: np.ndarray) -> np.ndarray:
        """Return the CRC-32 of a prefix and the shapes of some tokens from each ``first`` on, joined by spaces."""
        crc = prefixed_crc(prefix, self.shape[first], self.shape_bytes[first])
        for i in range(1, int(n_tokens.max(initial=0))):
            more = np.flatnonzero(n_tokens > i)
            at = first[more] + i
            shape = prefixed_crc(" ", self.shape[at], self.shape_bytes[at])
            crc[more] = joined_crc(crc[more], shape, self.shape_bytes[at] + 1)
        return crc


_Hashes = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Of each token: CRC-32 and bytes of word and shape; CRC-32 of affixes, (3, tokens), and whether there are any."""


def _ascii_hashes(text: bytes, flags: np.ndarray, kind: np.ndarray, start: np.ndarray, end: np.ndarray) -> _Hashes:
    """Hash tokens, all at once; the result counts where they are ASCII and short."""
    terms, zeros = byte_terms(), zeros_crc()
    n_bytes = np.minimum(end - start, np.where(kind == _NUMBER, 5, MAX_STEP))
    last = start + n_bytes - 1
    # What each byte adds to the CRC-32 of its word, and of any suffix of it.
    byte = np.frombuffer(text.translate(_FOLDED), np.uint8)
    added = terms.take(256 * _bytes_behind(start, n_bytes, len(byte)) + byte, mode="clip")
    total = np.bitwise_xor.accumulate(added)
    word = total.take(last) ^ total.take(start - 1) ^ zeros.take(n_bytes)
    is_upper = flags & KIND == UPPER
    n_upper = np.cumsum(is_upper, dtype=np.int32)
    starts_upper = is_upper.take(start)
    all_upper = n_upper.take(end - 1) - n_upper.take(start - 1) == end - start
    letters = kind == _LETTERS
    which = starts_upper + all_upper * np.where(n_bytes == 1, 2, 1)
    shape = np.where(letters, _SHAPES.take(which), word)
    shape_bytes = np.where(letters, _SHAPES_BYTES.take(which), n_bytes)
    has_affixes = n_bytes > 4
    have = np.flatnonzero(has_affixes)
    first, last = start.take(have), last.take(have)
    suffix = added.take(last) ^ added.take(last - 1) ^ added.take(last - 2)
    prefix = terms.take(byte.take(first + 2))
    for behind in (1, 2):
        prefix ^= terms.take(byte.take(first + 2 - behind) + np.uint16(256 * behind))
    affixes = np.zeros((3, len(start)), np.uint32)
    for affix, found, none in zip(affixes, (prefix, suffix, suffix ^ added.take(last - 3)), _NO_AFFIXES, strict=True):
        affix[have] = found ^ none
    return word, n_bytes, shape, shape_bytes, affixes, has_affixes


def _bytes_behind(start: np.ndarray, n_bytes: np.ndarray, size: int) -> np.ndarray:
    """Return how many bytes of its token follow each of ``size`` bytes; below 0 outside of tokens."""
    steps = np.full(size, -1)
    # The count falls by one from byte to byte; at the start of a token it jumps to the token's own.
    steps[start] = n_bytes - 1
    steps[start[1:]] += np.diff(start) - n_bytes[:-1]
    steps[start[:1]] += start[:1]
    np.cumsum(steps, out=steps)
    return steps


def _hash_others(hashes: _Hashes, text: str, codes: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
    """Hash tokens that are long or not ASCII, in place."""
    is_other = end - start > MAX_STEP
    strange = np.flatnonzero(codes > 127)
    token = np.searchsorted(end, strange, "right")  # the first that ends behind
    token, strange = token[token < len(end)], strange[token < len(end)]
    is_other[token[start[token] <= strange]] = True
    others = np.flatnonzero(is_other)
    if not len(others):
        return
    places = zip(start[others].tolist(), end[others].tolist(), strict=True)
    row, tokens = distinct([text[a:b] for a, b in places])
    words = [_word(token) for token in tokens]
    names = [_affixes(word) for word in words]
    have = np.array([len(of_word) > 0 for of_word in names])
    affixes = np.zeros((3, len(names)), np.uint32)
    affixes[:, have] = crc_of(list(chain(*names)))[0].reshape(-1, 3).T
    found = *crc_of(words), *crc_of([_shape(token) for token in tokens]), affixes, have
    for column, values in zip(hashes, found, strict=True):
        column[..., others] = values[..., row]
