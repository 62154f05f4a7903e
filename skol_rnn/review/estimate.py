"""How many lines of a label are still unfound: posteriors of the unread lines, calibrated again by what was read.

A line with the posterior ``p`` has the label with probability ``sigmoid(l + g(l))``, where ``l = logit(p)`` and the
calibration error ``g`` is a Gaussian process with standard deviation 1.25 and covariance ``exp(-|l - m| / 4)`` (Rasmussen
and Williams 2006, "Gaussian Processes for Machine Learning", sections 3.4 and 4.2): what was read corrects the lines of
about the same posterior.  Elsewhere the expected share is ``p``, for which the mean of ``g`` has the sign of ``l``: a sigmoid
of a normal variable is nearer to 1/2 than the sigmoid of its mean.  The choice of lines depends on ``p``, so it hardly
biases ``g``.  Lines of one document are alike: their log likelihood counts one 16th, and the variance of a number of lines
is 16 times the binomial one (a design effect of 16; Kish 1965, "Survey Sampling").  ``g`` is normal by Laplace's method,
and so is the count given ``g``.  docs/review.md has the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from skol_rnn.decoding.estimate import Expected, logit, sigmoid
from skol_rnn.decoding.held_out import HeldOut

DEVIATION, LENGTH, DESIGN_EFFECT = 1.25, 4.0, 16.0
_SMALLEST, _WIDEST = 1e-5, 11.6  # posterior; logit(1e-5) is -11.5
_BINS, _PARTS = 29, 20  # bins of g, and parts of each in which lines are counted
_CENTRES = (np.arange(_BINS) + 0.5) * 2 * _WIDEST / _BINS - _WIDEST
_QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / 50) for i in range(50)])
_STEPS, _DRAWS = 30, 2_000


class Recalibration:
    """The calibration error, from the posteriors of the lines that were read and whether they have the label."""

    def __init__(self, read: np.ndarray, is_label: np.ndarray) -> None:
        logits = _logit(read)
        bins = np.digitize(logits, np.linspace(-_WIDEST, _WIDEST, _BINS + 1)[1:-1])
        shrunk = (np.sqrt(1 + np.pi * DEVIATION**2 / 8) - 1) * np.abs(_CENTRES)  # MacKay's approximation
        mean = np.sign(_CENTRES) * np.minimum(shrunk, DEVIATION**2 / 2)
        prior = DEVIATION**2 * np.exp(-np.abs(_CENTRES[:, None] - _CENTRES) / LENGTH)
        precision = np.linalg.inv(prior + 1e-6 * np.eye(_BINS))
        self.mode = mean
        for _ in range(_STEPS):
            shares = sigmoid(logits + self.mode[bins])
            gradient = np.bincount(bins, (is_label - shares) / DESIGN_EFFECT, _BINS) - precision @ (self.mode - mean)
            curvature = np.bincount(bins, shares * (1 - shares) / DESIGN_EFFECT, _BINS)
            self._precision = precision + np.diag(curvature)
            step = np.linalg.solve(self._precision, gradient)
            self.mode = self.mode + step
            if np.abs(step).max() < 1e-6:
                break

    def shares(self, posteriors: np.ndarray) -> np.ndarray:
        """Return the probabilities that are expected at some posteriors."""
        deviation = np.sqrt(np.diag(np.linalg.inv(self._precision)))
        drawn = (self.mode + _CENTRES)[:, None] + deviation[:, None] * _QUANTILES
        errors = _logit(sigmoid(drawn).mean(axis=1)) - _CENTRES
        logits = _logit(posteriors)
        return sigmoid(logits + np.interp(logits, _CENTRES, errors))

    def counts(self, posteriors: np.ndarray, seed: int = 0) -> Expected:
        """Estimate how many of some unread lines have the label."""
        if not len(posteriors):
            return Expected(0.0, 0.0, 0.0)
        counts, edges = np.histogram(_logit(posteriors), bins=_BINS * _PARTS, range=(-_WIDEST, _WIDEST))
        rng = np.random.default_rng(seed)
        noise = np.linalg.solve(np.linalg.cholesky(self._precision).T, rng.normal(size=(_BINS, _DRAWS)))
        drawn = np.repeat(self.mode[:, None] + noise, _PARTS, axis=0)  # (parts, draws)
        filled = counts > 0
        shares = sigmoid(((edges[1:] + edges[:-1]) / 2)[filled, None] + drawn[filled])
        means, variances = counts[filled] @ shares, DESIGN_EFFECT * (counts[filled] @ (shares * (1 - shares)))
        totals = np.clip(rng.normal(means, np.sqrt(variances)), 0, len(posteriors))
        low, high = np.percentile(totals, [2.5, 97.5])
        return Expected(float(means.mean()), float(np.floor(low)), float(np.ceil(high)))


def corrected(posteriors: np.ndarray, held: HeldOut | None, labels: Sequence[int]) -> np.ndarray:
    """Return posteriors of some labels, (lines, labels), without the mean error that they have on documents held out."""
    if held is None:
        return posteriors[:, labels]
    held = held.known()
    errors = [Recalibration(held.posterior[:, label], held.true == label) for label in labels]
    return np.stack([each.shares(posteriors[:, k]) for each, k in zip(errors, labels, strict=True)], axis=1)


def _logit(p: np.ndarray) -> np.ndarray:
    found: np.ndarray = logit(np.clip(np.asarray(p, np.float64), _SMALLEST, 1 - _SMALLEST))
    return found
