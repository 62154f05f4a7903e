"""The characters of many lines in one sequence, and their kinds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_NEW, SPACE, UPPER, LOWER, DIGIT, OTHER = range(6)
KIND = 7  # the bits of the kind
WORD, DECIMAL, PART_OF_NO_TOKEN = 8, 16, 32
r"""Added to a kind: the character matches \w, it matches \d, no token has it (white space has no mark of its own)."""


_MARGIN = "\n" * 6  # more than patterns look around


class Characters(NamedTuple):
    """The characters of some lines without outer white space, in one sequence; a line end precedes each line."""

    bodies: list[str]  # the lines
    text: str  # their sequence
    ascii: bytes  # the same, with "?" for other characters
    codes: np.ndarray  # code points
    flags: np.ndarray  # kinds, with additions
    start: np.ndarray  # of each line
    size: np.ndarray

    @classmethod
    def of(cls, lines: Sequence[str]) -> Characters:
        """Join lines, and look up the kinds of their characters."""
        bodies = [line.strip() for line in lines]
        size = np.fromiter(map(len, bodies), np.int64, len(bodies))
        text = "\n".join(["", *bodies, _MARGIN])
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        ascii_bytes = text.encode("ascii", "replace")
        return cls(bodies, text, ascii_bytes, codes, _flags_in(ascii_bytes, codes), np.cumsum(size + 1) - size, size)


def _flags_in(ascii_bytes: bytes, codes: np.ndarray) -> np.ndarray:
    # Bytes are translated many times as fast as an array is indexed.
    flags = np.frombuffer(bytearray(ascii_bytes.translate(_ASCII)), np.uint8)
    others = np.flatnonzero(codes > 127)
    flags[others] = _looked_up(codes[others])
    return flags


def _looked_up(codes: np.ndarray) -> np.ndarray:
    flags = _flags[codes]
    if not flags.all():
        for code in set(codes[flags == _NEW].tolist()):
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
