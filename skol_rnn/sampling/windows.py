"""Draw training windows so that rare labels are in most batches, and correct the loss for it."""

from __future__ import annotations

import numpy as np

from skol_rnn.sampling.draws import check_between
from skol_rnn.windows import Windows


def window_draw_rates(windows: Windows, is_rare: np.ndarray, boost: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Say how often each window is drawn, and what its loss is multiplied by for that.

    With a window drawn in proportion to its rate r, the factor mean(r) / r makes the expected loss of an epoch that
    of drawing each window once (importance sampling: Kahn & Marshall 1953): the network meets the rare label more
    often, and its probabilities are not raised by it.

    Parameters
    ----------
    windows : Windows
        The training windows.
    is_rare : ndarray of bool, shape (n_lines,)
        Whether a line has the rare label.
    boost : float, default 4
        Rate of a window with a rare line; the others' is 1.

    Returns
    -------
    rates, corrections : ndarray of float64, shape (windows,)
        Relative rates, and factors for the loss.

    Raises
    ------
    ValueError
        If the boost is below 1, or there is not one flag a line.

    Examples
    --------
    >>> from skol_rnn.windows import cut_windows
    >>> windows = cut_windows([6], window_size=2, stride=2)
    >>> rates, corrections = window_draw_rates(windows, np.array([True, True, False, False, False, False]), boost=4.0)
    >>> rates.tolist(), corrections.tolist()
    ([4.0, 1.0, 1.0], [0.5, 2.0, 2.0])
    """
    check_between("boost", boost, 1.0, 1e6)
    is_rare = np.asarray(is_rare, bool)
    if is_rare.shape != (windows.n_lines,):
        raise ValueError(f"is_rare has shape {is_rare.shape}, but the windows are over {windows.n_lines} lines.")
    # The last flag, reached by -1, is that of padding.
    holds_rare = np.append(is_rare, False)[windows.lines].any(axis=1)
    rates = np.where(holds_rare, float(boost), 1.0)
    return rates, rates.mean() / rates if len(rates) else rates


def draw_windows(rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw as many windows as there are, with chances in proportion to their rates.

    Systematic sampling (Madow 1949) in random order: a window whose expected number is e is drawn floor(e) or
    ceil(e) times, so that an epoch varies far less than under independent draws.

    Parameters
    ----------
    rates : ndarray, shape (windows,)
        Relative rates, positive.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of int64, shape (windows,)
        Indices of windows in random order.

    Raises
    ------
    ValueError
        If a rate is not positive and finite.

    Examples
    --------
    >>> sorted(draw_windows(np.ones(4), np.random.default_rng(0)).tolist())
    [0, 1, 2, 3]
    """
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
