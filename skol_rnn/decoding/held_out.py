"""Predictions of documents that the model was not trained on: what decisions for a purpose and estimates rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.labels import NO_LABEL

_MOST_NUMBERS = 2_000_000  # 4 MB in the saved model
SAVED = ("held_out/posterior", "held_out/true", "held_out/lengths")


@dataclass(frozen=True)
class HeldOut:
    """Posteriors (lines, labels) and true labels (lines,) of documents of some lengths."""

    posterior: np.ndarray
    true: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, posterior: np.ndarray, true: np.ndarray, lengths: Sequence[int], seed: int) -> HeldOut:
        """Keep the documents, or as many drawn at random as fit the saved model."""
        lines, documents = np.asarray(lengths), np.arange(len(lengths))
        if posterior.size > _MOST_NUMBERS:
            order = np.random.default_rng(seed).permutation(documents)
            fitting = np.cumsum(lines[order]) * posterior.shape[1] <= _MOST_NUMBERS
            documents = np.sort(order[fitting])
        chosen = np.isin(np.repeat(np.arange(len(lines)), lines), documents)
        return cls(posterior[chosen].astype(np.float16), true[chosen].astype(np.int32), lines[documents])

    def by_document(self, values: np.ndarray) -> np.ndarray:
        """Sum values of lines, (lines, ...), over each document."""
        starts = np.cumsum(self.lengths) - self.lengths
        return np.add.reduceat(values, starts) if len(starts) else values[:0]

    def groups(self, label: int, least: int) -> list[slice]:
        """Return the lines of each document with enough lines of a label; smaller documents join the ones after them."""
        ends = np.cumsum(self.lengths)
        groups, start, found = [], 0, 0
        for end, n in zip(ends.tolist(), self.by_document((self.true == label).astype(np.int64)).tolist(), strict=True):
            found += n
            if found >= least:
                groups.append(slice(start, end))
                start, found = end, 0
        if groups and start < len(self.true):
            groups[-1] = slice(groups[-1].start, len(self.true))
        return groups

    def known(self) -> HeldOut:
        """Leave out lines without a label, and then documents without a line."""
        kept = self.true != NO_LABEL
        lengths = self.by_document(kept.astype(np.int64))
        return HeldOut(self.posterior[kept].astype(np.float64), self.true[kept], lengths[lengths > 0])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the saved model."""
        return dict(zip(SAVED, (self.posterior, self.true, self.lengths), strict=True))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> HeldOut | None:
        """Rebuild what :meth:`arrays` returned; None for a model saved without it."""
        return cls(*(arrays[name] for name in SAVED)) if SAVED[0] in arrays else None
