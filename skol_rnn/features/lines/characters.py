"""Kinds of characters, looked up for many at once."""

from __future__ import annotations

import sys

import numpy as np

_NEW, SPACE, UPPER, LOWER, DIGIT, OTHER = range(6)
KIND = 7  # the bits of the kind
WORD, DECIMAL, PART_OF_NO_TOKEN = 8, 16, 32
r"""Added to a kind: the character matches \w, it matches \d, no token has it (white space has no mark of its own)."""


def code_points(text: str) -> np.ndarray:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def flags_of(text: str, codes: np.ndarray) -> np.ndarray:
    """Return the kind of each character, with its additions; ``codes`` are the code points of the text."""
    # Bytes are translated many times as fast as an array is indexed.
    flags = np.frombuffer(bytearray(text.encode("ascii", "replace").translate(_ASCII)), np.uint8)
    if not text.isascii():
        others = np.flatnonzero(codes > 127)
        flags[others] = _looked_up(codes[others])
    return flags


def _looked_up(codes: np.ndarray) -> np.ndarray:
    flags = _flags[codes]
    if not flags.all():
        for code in np.unique(codes[flags == _NEW]).tolist():
            _flags[code] = _flags_of(chr(code))
        flags = _flags[codes]
    return flags


def _flags_of(character: str) -> int:
    more = WORD * (character.isalnum() or character == "_") + DECIMAL * character.isdecimal()
    return _kind(character) + more + PART_OF_NO_TOKEN * (character == "_" or "\ud800" <= character <= "\udfff")


def _kind(character: str) -> int:
    if character.isalpha():
        return UPPER if character.isupper() else LOWER
    if character.isdigit():
        return DIGIT
    return SPACE if character.isspace() else OTHER


_flags = np.zeros(sys.maxunicode + 1, np.uint8)  # of each character, _NEW until it is first met
_ASCII = bytes(_flags_of(chr(code)) for code in range(256))
