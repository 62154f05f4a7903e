"""The parameter ``class_weights``, and weights kept in a JSON file with the counts that they were computed from."""

from __future__ import annotations

import io
import json
import logging
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.data.bio import BEGIN, INSIDE
from skol_rnn.errors import DataError
from skol_rnn.imbalance.options import check_length, checked_counts, finite_number, whole_number
from skol_rnn.imbalance.strategies import class_weight_strategy, format_strategy, parse_strategy
from skol_rnn.labels import LabelSet, plural, suggestion
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

FORMAT, FORMAT_VERSION = "skol_rnn class weights", 2
NAME = "the record of class weights"
EXPLICIT, NONE = "explicit", "none"  # strategies of weights that come from a dict, and of equal weights

_REMEDY = "save the weights again (skol-rnn weights PATHS --save FILE.json), or give a dict of weights by label."
_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, repr=False)
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

    def to_frame(self) -> pd.DataFrame:
        """Return the weights as a table.

        Returns
        -------
        DataFrame
            Columns ``label``, ``count`` and ``weight``, in the order of the labels.

        Examples
        --------
        >>> ClassWeights(("a", "b"), (1.0, 9.0), (90, 10)).to_frame().values.tolist()
        [['a', 90, 1.0], ['b', 10, 9.0]]
        """
        import pandas as pd

        return pd.DataFrame({"label": self.labels, "count": self.counts, "weight": self.weights})

    def __repr__(self) -> str:
        # Some labels stand for 400 of them.
        short = reprlib.Repr()
        short.maxtuple, short.maxstring = 8, 60
        values = (f"{name}={short.repr(getattr(self, name))}" for name in ("labels", "weights", "counts"))
        return f"ClassWeights({', '.join(values)}, strategy={self.strategy!r})"

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import weights_html

        return weights_html(self)

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
        except FileNotFoundError as error:
            raise DataError(f"{path} does not exist; {_REMEDY}") from error
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


Numbers = Sequence[float] | np.ndarray
WeightsSpec = str | Mapping[str, float] | ClassWeights | None


def is_frozen_file(spec: Any) -> bool:
    """Whether ``class_weights`` is the path of saved weights and not the name of a strategy."""
    return isinstance(spec, str) and spec.endswith((".json", ".npz", ".pt"))


def check_spec(spec: Any) -> None:
    """Raise a ValueError for a misspelt strategy or option, before any data are read."""
    if isinstance(spec, str) and not is_frozen_file(spec):
        parse_strategy(spec)


def resolve_weights(spec: WeightsSpec | Numbers, labels: LabelSet, counts: np.ndarray) -> ClassWeights:
    """Turn ``class_weights`` into one weight per label, with the counts that they belong to."""
    if isinstance(spec, ClassWeights):
        return spec
    if isinstance(spec, str):
        return ClassWeights.load(spec) if is_frozen_file(spec) else ClassWeights.from_counts(spec, labels.names, counts)
    if spec is None:
        return ClassWeights(labels.names, (1.0,) * len(labels), tuple(counts), NONE)
    weights = _by_label(spec, labels) if isinstance(spec, Mapping) else spec
    if not isinstance(weights, Sequence | np.ndarray):
        kind = type(spec).__name__
        raise TypeError(f"class_weights must be None, a strategy's name, a dict or an array, not {kind}.")
    return ClassWeights(labels.names, tuple(weights), tuple(counts), EXPLICIT)


def normalise_weights(weights: Numbers, counts: Numbers) -> np.ndarray:
    """Rescale weights to a mean of 1 over the training lines."""
    array, number = np.asarray(weights, dtype=np.float64), checked_counts(counts)
    if array.shape != number.shape:
        raise ValueError(f"There are weights of shape {array.shape} for counts of shape {number.shape}.")
    mean = float(array @ (number / number.sum())) if number.any() else 0.0
    if not (np.isfinite(mean) and mean > 0):
        raise ValueError("No label that occurs in the training documents has a class weight above zero.")
    return array / mean


def cap_weights(weights: Numbers, counts: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Cap each weight at the count ratio to the most frequent label; also return the indices of those changed."""
    array, lines = np.asarray(weights, dtype=np.float64), np.maximum(checked_counts(counts), 1)
    most = int(np.argmax(lines))
    # With a weight of 0 the most frequent label is not learnt, so there is no ratio to keep to.
    limit = array[most] * lines[most] / lines if array[most] else np.full(array.shape, np.inf)
    # A weight equal to its limit up to rounding stays as it is.
    beyond = limit < array * (1 - 1e-9)
    return np.where(beyond, limit, array), np.flatnonzero(beyond)


def count_drift(frozen: ClassWeights, counts: Sequence[int] | np.ndarray, labels: LabelSet) -> list[str]:
    """Return a sentence for each label whose count has changed since the weights were saved."""
    check_length(labels, counts, "counts")
    frozen.vector(labels)  # raises if the labels differ
    found = []
    for name, now in zip(labels, checked_counts(counts), strict=True):
        if (then := frozen.counts[frozen.labels.index(name)]) != now:
            percent = f"{100 * (now - then) / then:+.1f} %" if then else "new"
            before = f"{plural(then, 'line')}"
            found.append(f"{name!r} had {before} when the weights were saved and has {now:,.0f} now ({percent})")
    return found


def describe_weights(weights: Sequence[float] | np.ndarray, labels: LabelSet, kind: str = "BiLSTM") -> list[str]:
    """Return log lines with the weight of each label, rounded to six digits."""
    shown = [f"  {name}: {float(f'{w:.6g}')!r}" for name, w in sorted(zip(labels, weights, strict=True))]
    return [f"[{kind}] Using weighted loss with class weights:", *shown]


def _by_label(spec: Mapping[str, float], labels: LabelSet) -> list[float]:
    """Return a weight for each label from a dict; a tag without BIO prefix stands for both B and I."""
    weights: dict[str, float] = {}
    for name, weight in spec.items():
        tags = [name] if name in labels else [p + str(name) for p in (BEGIN, INSIDE) if p + str(name) in labels]
        if not tags:
            known = f"{', '.join(labels)}.{suggestion(str(name), labels)}"
            raise ValueError(f"class_weights holds the unknown label {name!r}; known are {known}")
        weights.update((tag, weight) for tag in tags if tag == name or tag not in spec)
    missing = [name for name in labels if name not in weights]
    if missing:
        logger.info("No class weight is given for %s: 1.0 is used.", ", ".join(missing))
    return [weights.get(name, 1.0) for name in labels]
