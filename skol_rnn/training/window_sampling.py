"""Windows with rare labels drawn more often, and the factors that correct the loss."""

from __future__ import annotations

import numpy as np

from skol_rnn.imbalance.options import finite_number
from skol_rnn.windows import Windows

Rates = tuple[np.ndarray, np.ndarray] | tuple[None, None]
"""How often each window is drawn, and the factor of its loss; None where each is drawn once."""


def window_draw_rates(windows: Windows, is_rare: np.ndarray, boost: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each window is drawn, and the factor of its loss."""
    finite_number("boost", boost, 1.0, 1e6)
    is_rare = np.asarray(is_rare, bool)
    if is_rare.shape != (windows.n_lines,):
        raise ValueError(f"is_rare has shape {is_rare.shape}, but the windows are over {windows.n_lines} lines.")
    # Index -1, padding, reads the last flag.
    holds_rare = np.append(is_rare, False)[windows.lines].any(axis=1)
    rates = np.where(holds_rare, float(boost), 1.0)
    return rates, rates.mean() / rates if len(rates) else rates


def draw_windows(rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw as many windows as there are, in proportion to their rates (systematic sampling)."""
    rates = np.asarray(rates, np.float64)
    if not (np.isfinite(rates) & (rates > 0)).all():
        raise ValueError("Rates of windows must be positive and finite.")
    n = len(rates)
    if n == 0:
        return np.zeros(0, np.int64)
    order = rng.permutation(n)
    ends = np.cumsum(rates[order])
    points = np.arange(n) + rng.random()
    drawn = np.searchsorted(ends * (n / ends[-1]), points, side="right")
    # Rounding could put the last point on the last end.
    return rng.permutation(order[np.minimum(drawn, n - 1)])
