"""Near copies: documents that share most of their text with another one, found by small sketches of their texts.

A sketch is the lowest hashes of a document's windows of 16 letters and digits, as in MinHash with bottom-k sampling
(Broder 1997, "On the resemblance and containment of documents").  docs/pitfalls.md has the figures.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.data.table import Lines, document_texts, text_hashes

SHARED = 0.5
"""Share of the text of one of two documents that makes them near copies."""
_WIDTH = 16  # letters and digits of a window
_SHORTEST = 200  # windows of text of its own; of a shorter document only the exact hash is known
_LEAST, _USUAL, _PER_VALUE = 16, 64, 512  # values of a sketch; long documents have one for each 512 windows
_MOST_VALUES = 1 << 18  # of all sketches, 1 MiB, unless there are more than 16,384 documents
_MOST_WINDOWS = 1 << 25  # whose documents are counted; of more text a sample
_MOST_COPIES = 2, 10  # least and most documents that copy a text; what more than these have is a template
_LEAST_COMMON = 8  # values of both documents
_FACTORS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # of Fibonacci hashing and of splitmix64
_NO_TEXT = re.compile(r"[\W_]+")


class NearCopy(NamedTuple):
    """A document, the one that it is a near copy of, and the share of the text of one of them that the other has."""

    document: str
    of: str
    share: float


def sketches(table: Lines) -> dict[str, str]:
    """Return the sketch of each document by name, as base64; short documents, and those of templates alone, have none."""
    texts, digests = document_texts(table), text_hashes(table)
    limit = 2**32 * min(1.0, _MOST_WINDOWS / max(sum(map(len, texts.values())), 1))
    windows = {name: found[found < limit] for name, text in texts.items() for found in [_windows(text)]}
    values = np.sort(_joined([windows[name] for name in _distinct(digests)]))
    few = len(windows) < 4  # a text that most of the documents have is no copy
    most = 1 if few else int(np.clip(len(windows) // 20, *_MOST_COPIES))
    template = _without_repetition(values[most:][values[most:] == values[: len(values) - most]])
    own = {name: np.setdiff1d(found, template, assume_unique=True) for name, found in windows.items()}
    own = {name: found for name, found in own.items() if len(found) >= _SHORTEST}
    sizes = {name: max(_USUAL, len(found) // _PER_VALUE) for name, found in own.items()}
    scale = min(1.0, _MOST_VALUES / max(sum(sizes.values()), 1))
    return {
        name: base64.b64encode(found[: max(_LEAST, int(sizes[name] * scale))].astype("<u4").tobytes()).decode()
        for name, found in own.items()
    }


def near_copies(table: Lines, known: Mapping[str, str]) -> list[NearCopy]:
    """Find the documents of a table that are near copies of known ones, of which there are sketches."""
    names = list(known)
    found = [np.frombuffer(base64.b64decode(known[name]), "<u4").astype(np.uint32) for name in names]
    owners = np.repeat(np.arange(len(found)), [len(values) for values in found])
    values = _joined(found)
    order = np.argsort(values, kind="stable")
    values, owners = values[order], owners[order]
    digests = text_hashes(table)
    matches = {name: _matches(_windows(text), values) for name, text in document_texts(table).items()}
    counts = np.zeros(len(values), np.int64)
    for name in _distinct(digests):
        counts[matches[name].places] += 1
    usual = counts <= max(len(matches) // 20, _MOST_COPIES[1])
    sizes = np.bincount(owners[usual], minlength=len(names))
    copies = []
    for name, (windows, places) in matches.items():
        places = places[usual[places]]
        common = np.bincount(owners[places], minlength=len(names))
        shares = [
            (_share(int(common[i]), int(sizes[i]), windows, found[i]), i)
            for i in np.flatnonzero(common >= _LEAST_COMMON).tolist()
        ]
        share, best = max(shares, default=(0.0, 0))
        if share >= SHARED:
            copies.append(NearCopy(name, names[best], share))
    return copies


class _Matches(NamedTuple):
    windows: np.ndarray
    places: np.ndarray  # in the sorted values of all sketches


def _matches(windows: np.ndarray, values: np.ndarray) -> _Matches:
    """Find the values of sketches that are hashes of a document."""
    first, end = np.searchsorted(values, windows), np.searchsorted(values, windows, side="right")
    places = [np.arange(a, b) for a, b in zip(first[end > first], end[end > first], strict=True)]
    return _Matches(windows, np.concatenate([np.zeros(0, np.int64), *places]))


def _share(common: int, size: int, windows: np.ndarray, sketch: np.ndarray) -> float:
    """Estimate the share of the known document that the other has, or the reverse if that is larger."""
    sampled = int(np.searchsorted(windows, sketch[-1], side="right"))  # a sketch has all hashes up to its last one
    return max(common / size if size >= _LEAST else 0.0, common / sampled)


def _distinct(digests: Mapping[str, str]) -> Sequence[str]:
    """Name one document of each text."""
    return list({digest: name for name, digest in digests.items()}.values())


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.uint32), *arrays])


def _windows(text: str) -> np.ndarray:
    """Return the hashes of all windows of letters and digits, ascending uint32 without repetition."""
    # Line breaks, hyphens, blanks and case differ between copies.
    kept = _NO_TEXT.sub("", unicodedata.normalize("NFKC", text).casefold())
    letters = np.frombuffer(kept.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    hashes = np.zeros(max(len(letters) - _WIDTH + 1, 0), np.uint64)
    for place in range(_WIDTH):
        hashes = (hashes + letters[place : place + len(hashes)]) * _FACTORS[0]
    hashes ^= hashes >> np.uint64(29)
    return _without_repetition(np.sort((hashes * _FACTORS[1] >> np.uint64(32)).astype(np.uint32)))


def _without_repetition(ascending: np.ndarray) -> np.ndarray:
    # np.unique of NumPy 2.3 is ten times as slow.
    return ascending[np.diff(ascending, prepend=ascending[:1] + np.uint32(1)) != 0]
