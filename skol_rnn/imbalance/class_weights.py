"""Class weights and the counts that they were computed from, kept in a JSON file for later runs."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.imbalance.options import check_length, finite_number, whole_number
from skol_rnn.imbalance.strategies import class_weight_strategy, format_strategy, parse_strategy
from skol_rnn.labels import LabelSet
from skol_rnn.persistence.atomic import write_atomically

FORMAT, FORMAT_VERSION = "skol_rnn class weights", 2
NAME = "the record of class weights"
EXPLICIT, NONE = "explicit", "none"
"""Strategies of weights that come from a dict, and of equal weights."""

_REMEDY = "save the weights again (skol-rnn weights PATHS --save FILE.json), or give a dict of weights by label."
_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class ClassWeights:
    """Class weights with the counts and the strategy that they were computed from.

    Parameters
    ----------
    labels : tuple of str
        The K labels.
    weights : tuple of float
        Weight of each label.
    counts : tuple of int
        Number of lines of each label.
    strategy : str, default "explicit"
        Strategy with its options, see :func:`class_weight_strategy`; "explicit" for a dict, "none" for equal weights.
    source : str
        Name of the weights in messages: the file that they were read from.

    Raises
    ------
    ValueError
        If a label, weight, count or strategy is not allowed.

    Examples
    --------
    >>> weights = ClassWeights.from_counts("inverse", ["Nomenclature", "Misc"], [10, 1000])
    >>> weights.weights, weights.counts, weights.strategy
    ((100.0, 1.0), (10, 1000), 'inverse')
    >>> ClassWeights.from_dict(weights.to_dict()) == weights
    True
    """

    labels: tuple[str, ...]
    weights: tuple[float, ...]
    counts: tuple[int, ...]
    strategy: str = EXPLICIT
    source: str = field(default=NAME, compare=False, repr=False)

    def __post_init__(self) -> None:
        labels = LabelSet(tuple(self.labels))
        check_length(labels, self.weights, "weights")
        check_length(labels, self.counts, "counts")
        rows = list(zip(labels, self.weights, self.counts, strict=True))
        # Equal weights compare and print alike, whatever sequences and numbers they were made from.
        object.__setattr__(self, "labels", labels.names)
        weights = tuple(finite_number(f"The class weight of {name!r}", weight, 0) for name, weight, _ in rows)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "counts", tuple(whole_number(f"The count of {name!r}", n) for name, _, n in rows))
        if not any(weights):
            raise ValueError("All class weights are zero, so nothing can be learnt; give at least one above zero.")
        if self.strategy not in (EXPLICIT, NONE):
            object.__setattr__(self, "strategy", format_strategy(*parse_strategy(self.strategy)))

    @classmethod
    def from_counts(cls, strategy: str, labels: Sequence[str], counts: Sequence[int] | np.ndarray) -> ClassWeights:
        """Compute weights with a strategy and keep the counts with them.

        Parameters
        ----------
        strategy : str
            A strategy with or without options, ``"smoothed:alpha=0.25"``; see :func:`class_weight_strategy`.
        labels : sequence of str
            The K labels.
        counts : sequence of int, shape (K,)
            Number of lines of each label.

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
        >>> ClassWeights.from_counts("smoothed", ["a", "b", "c"], [100, 25, 25]).strategy
        'smoothed:alpha=0.5'
        """
        known = LabelSet(tuple(labels))
        weights = class_weight_strategy(strategy, counts, labels=known)
        return cls(known.names, tuple(weights), tuple(counts), strategy)

    def to_dict(self) -> dict[str, Any]:
        """Return the weights as JSON values.

        Returns
        -------
        dict
            The labels in order, weights and counts by label, and the strategy.
        """
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "strategy": self.strategy,
            "labels": list(self.labels),
            "weights": dict(zip(self.labels, self.weights, strict=True)),
            "counts": dict(zip(self.labels, self.counts, strict=True)),
        }

    @classmethod
    def from_dict(cls, values: Any, name: str = NAME) -> ClassWeights:
        """Rebuild the weights from the values of `to_dict`.

        Parameters
        ----------
        values : dict
            JSON values.
        name : str
            Name of the weights in messages: the file.

        Returns
        -------
        ClassWeights
            The weights.

        Raises
        ------
        DataError
            If a value is missing or not allowed; the message names it.
        """
        try:
            if not isinstance(values, dict) or values.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            if (version := values["format_version"]) > FORMAT_VERSION:
                raise ValueError(f"its format version {version} is newer than this skol_rnn; update it")
            labels, weights, counts, strategy = (values[key] for key in ("labels", "weights", "counts", "strategy"))
            if not set(labels) == set(weights) == set(counts):
                raise ValueError("its labels, weights and counts name different labels")
            # Version 1 kept the options as keys of their own.
            options = [f"{key}={values[key]}" for key in ("alpha", "beta", "max_ratio") if values.get(key) is not None]
            strategy = f"{strategy}:{','.join(options)}" if options else strategy
            weights, counts = (tuple(values[label] for label in labels) for values in (weights, counts))
            return cls(tuple(labels), weights, counts, strategy, name)
        except _ERRORS as error:
            raise _unusable(name, error) from error

    def save(self, path: str | Path) -> Path:
        """Write the weights to a JSON file, or export them for PyTorch.

        Parameters
        ----------
        path : str or Path
            A ``.json`` file, or a ``.pt`` file for ``torch.load``: a dict with ``class_weights`` (a float32 tensor),
            ``label_counts`` and the options.  An existing file is replaced.

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
        path = Path(path)
        check_ending(path)
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(path, _torch_bytes(self) if path.suffix.lower() == ".pt" else text.encode())
        return path

    @classmethod
    def load(cls, path: str | Path) -> ClassWeights:
        """Read the weights from a JSON file that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        ClassWeights
            The weights.

        Raises
        ------
        DataError
            If the file cannot be read, is damaged, or holds something else.
        """
        if Path(path).suffix.lower() in (".npz", ".pt"):
            raise _unusable(path, ValueError("weights are read from .json files only"))
        try:
            values = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
        except _ERRORS as error:
            raise _unusable(path, error) from error
        return cls.from_dict(values, str(path))

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
            If a label is missing on either side; the message names it.

        Examples
        --------
        >>> ClassWeights(("a", "b"), (1.0, 5.0), (90, 10)).vector(LabelSet(("b", "a"))).tolist()
        [5.0, 1.0]
        """
        missing = [f"no weight for {name!r}" for name in labels if name not in self.labels]
        missing += [f"no {name!r} in the data" for name in self.labels if name not in labels]
        if missing:
            raise DataError(f"{self.source}: its labels are not those of the data ({', '.join(missing)}); {_REMEDY}")
        return np.array([self.weights[self.labels.index(name)] for name in labels])


def check_ending(path: str | Path) -> None:
    """Raise a ValueError if weights cannot be written to the path."""
    ending = Path(path).suffix.lower()
    if ending not in (".json", ".pt"):
        raise ValueError(f"Class weights are saved as .json, or exported for PyTorch as .pt, not as {ending!r}.")


def _torch_bytes(weights: ClassWeights) -> bytes:
    try:
        import torch
    except ImportError as error:
        raise ImportError("Class weights in a .pt file need PyTorch: pip install torch, or use .json.") from error
    options = {} if weights.strategy in (EXPLICIT, NONE) else parse_strategy(weights.strategy)[1]
    tensor, counts = torch.tensor(weights.weights, dtype=torch.float32), weights.to_dict()["counts"]
    buffer = io.BytesIO()
    torch.save({**options, "class_weights": tensor, "label_counts": counts}, buffer)
    return buffer.getvalue()


def _unusable(name: str | Path, error: Exception) -> DataError:
    reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error).strip().split("\n")[0].rstrip(".")
    return DataError(f"{name} holds no usable class weights ({reason}); {_REMEDY}")
