"""How many lines of a label are still unfound: posteriors of the unread lines, calibrated again by what was read.

A line with the posterior ``p`` has the label with probability ``sigmoid(l + g(l))``, where ``l = logit(p)`` and the
calibration error ``g`` is a Gaussian process with standard deviation 1 and covariance ``exp(-|l - m| / 2)`` (Rasmussen
and Williams 2006, "Gaussian Processes for Machine Learning", sections 3.4 and 4.2): what was read corrects the lines of
about the same posterior.  Elsewhere the expected share is ``p``, for which the mean of ``g`` is ``sign(l) * min(0.18 |l|,
0.5)``: a sigmoid of a normal variable is nearer to 1/2 than the sigmoid of its mean.  The choice of lines depends on ``p``, so it does not bias ``g``.  Lines of one document are alike, so their log likelihood counts a quarter
(a design effect of 4; Kish 1965, "Survey Sampling").  ``g`` is normal by Laplace's method, and the count given ``g`` is
Poisson-binomial, here normal.  docs/review.md has its coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DEVIATION, LENGTH, DESIGN_EFFECT = 1.0, 2.0, 4.0
_SMALLEST, _WIDEST = 1e-5, 11.6  # posterior; logit(1e-5) is -11.5
_BINS, _PARTS = 29, 20  # bins of g, and parts of each in which lines are counted
_STEPS, _DRAWS = 30, 2_000


class Estimate(NamedTuple):
    """A number of lines, with the interval that holds the true one with 95 % probability."""

    mean: float
    low: float
    high: float


class Recalibration:
    """The calibration error, from the posteriors of the lines that were read and whether they have the label."""

    def __init__(self, read: np.ndarray, is_label: np.ndarray) -> None:
        logits = _logit(read)
        bins = np.digitize(logits, np.linspace(-_WIDEST, _WIDEST, _BINS + 1)[1:-1])
        centres = (np.arange(_BINS) + 0.5) * 2 * _WIDEST / _BINS - _WIDEST
        shrunk = (np.sqrt(1 + np.pi * DEVIATION**2 / 8) - 1) * np.abs(centres)  # MacKay's approximation
        mean = np.sign(centres) * np.minimum(shrunk, DEVIATION**2 / 2)
        prior = DEVIATION**2 * np.exp(-np.abs(centres[:, None] - centres) / LENGTH)
        precision = np.linalg.inv(prior + 1e-6 * np.eye(_BINS))
        self.mode = mean
        for _ in range(_STEPS):
            shares = _sigmoid(logits + self.mode[bins])
            gradient = np.bincount(bins, (is_label - shares) / DESIGN_EFFECT, _BINS) - precision @ (self.mode - mean)
            curvature = np.bincount(bins, shares * (1 - shares) / DESIGN_EFFECT, _BINS)
            self._precision = precision + np.diag(curvature)
            step = np.linalg.solve(self._precision, gradient)
            self.mode = self.mode + step
            if np.abs(step).max() < 1e-6:
                break

    def counts(self, posteriors: np.ndarray, seed: int = 0) -> Estimate:
        """Estimate how many of some unread lines have the label."""
        if not len(posteriors):
            return Estimate(0.0, 0.0, 0.0)
        counts, edges = np.histogram(_logit(posteriors), bins=_BINS * _PARTS, range=(-_WIDEST, _WIDEST))
        rng = np.random.default_rng(seed)
        noise = np.linalg.solve(np.linalg.cholesky(self._precision).T, rng.normal(size=(_BINS, _DRAWS)))
        drawn = np.repeat(self.mode[:, None] + noise, _PARTS, axis=0)  # (parts, draws)
        filled = counts > 0
        shares = _sigmoid(((edges[1:] + edges[:-1]) / 2)[filled, None] + drawn[filled])
        means, variances = counts[filled] @ shares, counts[filled] @ (shares * (1 - shares))
        totals = np.clip(rng.normal(means, np.sqrt(variances)), 0, len(posteriors))
        low, high = np.percentile(totals, [2.5, 97.5])
        return Estimate(float(means.mean()), float(np.floor(low)), float(np.ceil(high)))


def _logit(p: Sequence[float] | np.ndarray) -> np.ndarray:
    p = np.clip(np.asarray(p, np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.log(p) - np.log1p(-p)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
