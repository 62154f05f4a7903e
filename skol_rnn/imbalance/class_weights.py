"""Class weights kept with the counts they were made from, so that a later run uses the same and sees what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn import __version__
from skol_rnn.errors import DataError
from skol_rnn.imbalance.checks import check_counts, check_length, check_options, check_weights, checked_counts
from skol_rnn.imbalance.class_weights_file import check_arrays, read_frozen, write_frozen
from skol_rnn.imbalance.drift import drifted, positions
from skol_rnn.imbalance.form import FORMAT, FORMAT_VERSION, check_sums, checksum, read_form
from skol_rnn.imbalance.strategies import DEFAULT_ALPHA, DEFAULT_BETA, STRATEGIES, check_strategy, class_weight_strategy
from skol_rnn.labels import LabelSet

NAME = "the record of class weights"
_OPTIONS = ("alpha", "beta", "max_ratio")
BY_HAND = ("explicit", "none")
"""Names for weights that come from a dict, and for weights of 1."""


@dataclass(frozen=True)
class ClassWeights:
    """Class weights with the counts, the strategy and its options that they were made from.

    Parameters
    ----------
    labels : tuple of str
        The K labels.
    weights : tuple of float
        The weight of each.
    counts : tuple of int
        Lines of each when the weights were made.
    strategy : str
        One of ``STRATEGIES``; "explicit" for weights from a dict, "none" for weights of 1.
    alpha, beta, max_ratio : float, optional
        Options that the strategy used.
    skol_rnn_version, numpy_version : str
        What made the weights; equal weights of other versions are equal.
    source : str
        What messages call the weights: the file they were read from.

    Raises
    ------
    ValueError
        If a label, weight, count, strategy or option is not allowed.

    Examples
    --------
    >>> frozen = ClassWeights.from_counts("inverse", ["Nomenclature", "Misc"], [10, 1000])
    >>> frozen.weights, frozen.counts, frozen.alpha
    ((100.0, 1.0), (10, 1000), None)
    >>> ClassWeights.from_dict(frozen.to_dict()) == frozen
    True
    """

    labels: tuple[str, ...]
    weights: tuple[float, ...]
    counts: tuple[int, ...]
    strategy: str = "explicit"
    alpha: float | None = None
    beta: float | None = None
    max_ratio: float | None = None
    skol_rnn_version: str = field(default=__version__, compare=False, repr=False)
    numpy_version: str = field(default=np.__version__, compare=False, repr=False)
    source: str = field(default=NAME, compare=False, repr=False)

    def __post_init__(self) -> None:
        labels = LabelSet(tuple(self.labels))
        check_length(labels, self.weights, "weights")
        check_length(labels, self.counts, "counts")
        check_weights(dict(zip(labels, self.weights, strict=True)))
        if not any(self.weights):
            raise ValueError("All class weights are zero: give at least one above zero.")
        check_counts(dict(zip(labels, self.counts, strict=True)))
        if self.strategy not in BY_HAND:
            check_strategy(self.strategy)
        options = {name: getattr(self, name) for name in _OPTIONS}
        check_options(**{name: value for name, value in options.items() if value is not None})
        # Whatever sequences and numbers were given, equal weights compare and print alike.
        object.__setattr__(self, "labels", labels.names)
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        object.__setattr__(self, "counts", tuple(int(count) for count in self.counts))
        for name, value in options.items():
            object.__setattr__(self, name, None if value is None else float(value))

    @classmethod
    def from_counts(
        cls,
        strategy: str,
        labels: Sequence[str],
        counts: Sequence[int] | np.ndarray,
        alpha: float = DEFAULT_ALPHA,
        beta: float = DEFAULT_BETA,
        max_ratio: float | None = None,
    ) -> ClassWeights:
        """Make weights by a strategy and keep them with what they were made from.

        Parameters
        ----------
        strategy : str
            One of ``STRATEGIES``.
        labels : sequence of str
            The K labels.
        counts : sequence of int, shape (K,)
            Lines of each.
        alpha, beta, max_ratio : float, optional
            See `class_weight_strategy`; an option that the strategy does not use is not kept.

        Returns
        -------
        ClassWeights
            The weights.

        Raises
        ------
        ValueError
            If the strategy is unknown, or a count or option is not allowed.

        Examples
        --------
        >>> ClassWeights.from_counts("smoothed", ["a", "b"], [100, 25])  # doctest: +ELLIPSIS
        ClassWeights(labels=('a', 'b'), weights=(0.66..., 1.33...), counts=(100, 25), strategy='smoothed', alpha=0.5, \
beta=None, max_ratio=None)
        """
        known = LabelSet(tuple(labels))
        check_length(known, counts, "counts")
        weights = class_weight_strategy(strategy, counts, alpha, max_ratio, known, beta)
        used = STRATEGIES[strategy].option
        return cls(
            known.names,
            tuple(weights.tolist()),
            tuple(np.asarray(counts).tolist()),
            strategy,
            alpha if used == "alpha" else None,
            beta if used == "beta" else None,
            max_ratio,
        )

    @property
    def counts_hash(self) -> str:
        """SHA-256 of the counts by label, in the order of the labels, as canonical JSON."""
        return checksum(dict(zip(self.labels, self.counts, strict=True)))

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the weights by label, the strategy and its options, as canonical JSON."""
        weights = dict(zip(self.labels, self.weights, strict=True))
        return checksum([weights, self.strategy, self.alpha, self.beta, self.max_ratio])

    def to_dict(self) -> dict[str, Any]:
        """Return the weights as JSON values, written for people to read.

        Returns
        -------
        dict
            Weights and counts by label, how they were made, checksums of both, and versions.

        Examples
        --------
        >>> told = ClassWeights(("a", "b"), (1.0, 5.0), (90, 10)).to_dict()
        >>> told["weights"], told["counts"], told["strategy"]
        ({'a': 1.0, 'b': 5.0}, {'a': 90, 'b': 10}, 'explicit')
        """
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "strategy": self.strategy,
            "alpha": self.alpha,
            "beta": self.beta,
            "max_ratio": self.max_ratio,
            "labels": list(self.labels),
            "weights": dict(zip(self.labels, self.weights, strict=True)),
            "counts": dict(zip(self.labels, self.counts, strict=True)),
            "counts_sha256": self.counts_hash,
            "weights_sha256": self.weights_hash,
            "versions": {"skol_rnn": self.skol_rnn_version, "numpy": self.numpy_version},
        }

    @classmethod
    def from_dict(cls, values: Any, name: str = NAME) -> ClassWeights:
        """Check what `to_dict` returned, and make the weights again.

        Parameters
        ----------
        values : dict
            JSON values.
        name : str
            What messages call them: the file.

        Returns
        -------
        ClassWeights
            The weights, exactly as they were.

        Raises
        ------
        DataError
            If a value is missing or impossible, or was changed by hand; the message names it.

        Examples
        --------
        >>> told = ClassWeights(("a", "b"), (1.0, 5.0), (90, 10)).to_dict()
        >>> told["counts"]["b"] = 11
        >>> ClassWeights.from_dict(told, "w.json")
        Traceback (most recent call last):
        ...
        skol_rnn.errors.DataError: w.json was edited by hand: its counts do not match its checksum; freeze the weights \
anew (skol-rnn weights PATHS --save FILE), or give your own as a dict of weights by label.
        """
        fields = read_form(values, name)
        try:
            frozen = cls(**fields, source=name)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from error
        check_sums(values, {"counts": frozen.counts_hash, "weights": frozen.weights_hash}, name)
        return frozen

    def save(self, path: str | Path) -> Path:
        """Write the weights to a file.

        Parameters
        ----------
        path : str or Path
            Ends in ``.json``, ``.npz`` or, where PyTorch is installed, ``.pt``; a file there is replaced.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ValueError
            If the ending is another.
        ImportError
            If the ending is ``.pt`` and PyTorch is not installed.
        """
        return write_frozen(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> ClassWeights:
        """Read the weights that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        ClassWeights
            The weights, exactly as they were.

        Raises
        ------
        DataError
            If the file cannot be read, is no such file, or was changed by hand.
        ValueError, ImportError
            As from `save`.
        """
        values, arrays = read_frozen(path)
        frozen = cls.from_dict(values, str(path))
        check_arrays(path, arrays, frozen.to_dict())
        return frozen

    def vector(self, labels: LabelSet) -> np.ndarray:
        """Return the weights in the order of other labels.

        Parameters
        ----------
        labels : LabelSet
            The same K labels in any order.

        Returns
        -------
        ndarray of float64, shape (K,)
            The weights.

        Raises
        ------
        DataError
            If there are labels on one side only; the message names them.

        Examples
        --------
        >>> ClassWeights(("a", "b"), (1.0, 5.0), (90, 10)).vector(LabelSet(("b", "a"))).tolist()
        [5.0, 1.0]
        """
        return np.array([self.weights[i] for i in positions(LabelSet(self.labels), labels, self.source)])

    def drift(self, counts: Sequence[int] | np.ndarray, labels: LabelSet) -> list[str]:
        """Say which labels have become more or less frequent since the weights were made.

        Parameters
        ----------
        counts : sequence of int, shape (K,)
            Lines of each label now.
        labels : LabelSet
            The K labels, in the order of ``counts``.

        Returns
        -------
        list of str
            A sentence for each label whose count is another; empty where all are equal.

        Raises
        ------
        DataError
            As from `vector`.

        Examples
        --------
        >>> ClassWeights(("a", "b"), (1.0, 5.0), (6798, 10)).drift([10, 7100], LabelSet(("b", "a")))
        ["'a' had 6,798 lines when the weights were frozen and has 7,100 now (+4.4 %)"]
        """
        now = checked_counts(counts)
        check_length(labels, now, "counts")
        pairs = zip(labels, positions(LabelSet(self.labels), labels, self.source), now, strict=True)
        return [drifted(name, self.counts[i], count) for name, i, count in pairs if self.counts[i] != count]
