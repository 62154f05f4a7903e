"""Prediction from a saved model without TensorFlow: ONNX Runtime and NumPy, and no pandas where there is none."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.columns import lengths_of, shared_columns
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.errors import BundleError, DataError
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.features.families import features_from_state
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.onnx_runner import OnnxNetwork
from skol_rnn.inference.windowed import CHUNK, LineNetwork, Sweep, line_probabilities, table_probabilities
from skol_rnn.labels import suggestion
from skol_rnn.persistence.bundle import Bundle, load_bundle

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

BACKENDS = ("auto", "onnx", "keras")
"""What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, else Keras."""

_BATCH = 64  # windows at a time, at most: no slower than more, and what is between the layers stays in the cache


class Labelled(NamedTuple):
    """What was predicted for a table."""

    labels: np.ndarray
    probabilities: np.ndarray


class ServingModel:
    """A saved model, ready to predict.

    Parameters
    ----------
    bundle : Bundle
        The saved model.
    backend : {"auto", "onnx", "keras"}, default "auto"
        What runs the network.
    threads : int, optional
        Threads that ONNX Runtime may use; one for each core if not given.

    Attributes
    ----------
    labels : tuple of str
        Labels in the order of the probabilities.
    unit : str
        What a row is, "line" or "token".
    backend : str
        "onnx" or "keras".
    features : FeatureFamily
        Fitted features.
    network : LineNetwork
        What runs the network.
    sweep : Sweep
        How windows go over documents.
    linear : LinearMember or None
        Averaged with the network.

    Raises
    ------
    ValueError
        If there is no such backend.
    BundleError
        If the bundle cannot be used, or has no graph and ``backend="onnx"``.
    ImportError
        If what runs the network is not installed.
    """

    def __init__(self, bundle: Bundle, backend: str = "auto", threads: int | None = None) -> None:
        state = bundle.state
        self.name: str = state["name"]
        self.labels: tuple[str, ...] = tuple(state["labels"])
        self.unit: str = state["parameters"].get("unit", "line")
        self._has_offsets = bool(state["validation_documents"] or state["parameters"]["tuning_folds"])
        self.decision = _decision_of(state, self._has_offsets)
        self._line_numbers: str = state["parameters"]["line_no_col"]
        self.sweep = Sweep.of(state["parameters"])
        self._decoder = Decoder.from_arrays(bundle.decision)
        self.linear = LinearMember.from_arrays(bundle.features)
        self.backend = chosen_backend(bundle, backend)
        if self.backend == "onnx":
            assert bundle.graph is not None
            features = state["features"]
            self.features = features_from_state(features["name"], features["settings"], bundle.features)
            self.network: LineNetwork = OnnxNetwork(bundle.graph, bundle.network, threads)
            self.sweep = replace(self.sweep, batch_size=min(self.sweep.batch_size, _BATCH))
        else:
            self.features, self.network = _keras_parts(bundle)

    def predict_proba(self, table: Lines, raw: bool = False) -> np.ndarray:
        """Compute the probability of each label for each line.

        Parameters
        ----------
        table : DataFrame or mapping of str to sequence
            Lines: ``value`` and ``doc_id`` (or ``filename``); optional are the line numbers, ``blank_before`` and
            ``page_break``.
        raw : bool, default False
            Whether the tilt that class weights, loss and sampling give the network is left in.

        Returns
        -------
        ndarray of float64, shape (lines, labels)
            One row a line, in the order of the table.

        Raises
        ------
        DataError
            If the table cannot be used.
        """
        lines, back = self._in_order(table)
        found = table_probabilities(self.network, self.features, lines, self.sweep, self.linear)
        return (found if raw else self._decoder.posterior(found))[back]

    def predict(self, table: Lines, decision: str | None = None) -> np.ndarray:
        """Label each line.

        Parameters
        ----------
        table : DataFrame or mapping of str to sequence
            As for :meth:`predict_proba`.
        decision : str, optional
            "auto", "corrected", "argmax", "tuned" or "viterbi"; the model's own if not given.

        Returns
        -------
        ndarray of object, shape (lines,)
            A label a line, in the order of the table.

        Raises
        ------
        DataError
            If the table cannot be used.
        ValueError
            If there is no such decision.
        """
        return next(self.predict_documents([table], decision)).labels

    def predict_documents(self, tables: Iterable[Lines], decision: str | None = None) -> Iterator[Labelled]:
        """Label the lines of many tables, some thousand lines at a time, so that memory does not grow with them.

        Parameters
        ----------
        tables : iterable of (DataFrame or mapping of str to sequence)
            Lines of one or more whole documents each, as for :meth:`predict_proba`.
        decision : str, optional
            As for :meth:`predict`.

        Yields
        ------
        Labelled
            Labels and posteriors of each table in turn.

        Raises
        ------
        DataError
            If a table cannot be used.
        ValueError
            If there is no such decision.
        """
        how = self._checked_decision(decision)
        waiting: list[_Prepared] = []
        for table in tables:
            waiting.append(self._prepared(table))
            if sum(len(one.back) for one in waiting) >= CHUNK:
                yield from self._labelled(waiting, how)
                waiting = []
        yield from self._labelled(waiting, how)

    def _prepared(self, table: Lines) -> _Prepared:
        lines, back = self._in_order(table)
        return _Prepared(lines, lengths_of(lines), back)

    def _labelled(self, tables: list[_Prepared], how: str) -> Iterator[Labelled]:
        if not tables:
            return
        if len(tables) == 1:  # it may be large
            raw = table_probabilities(self.network, self.features, tables[0].lines, self.sweep, self.linear)
        else:
            parts = [self.features.transform(table.lines) for table in tables]
            features = LineFeatures(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            lengths = [length for table in tables for length in table.lengths]
            raw = line_probabilities(self.network, features, lengths, self.sweep, self.linear)
        start = 0
        for table in tables:
            rows = raw[start : start + len(table.back)]
            start += len(rows)
            indices = self._decoder.decide(rows, table.lengths, how)
            labels = np.array(self.labels, dtype=object)[indices]
            yield Labelled(labels[table.back], self._decoder.posterior(rows)[table.back])

    def _in_order(self, table: Lines) -> tuple[Lines, np.ndarray]:
        """Return the lines in document order, and where each of the caller's rows is in it."""
        if isinstance(table, Mapping):
            lines: Lines = shared_columns(table, line_no_col=self._line_numbers)
        else:
            from skol_rnn.data.table import check_table

            lines = check_table(table, line_no_col=self._line_numbers)
        return lines, np.argsort(np.asarray(lines["order"]), kind="stable")

    def _checked_decision(self, decision: str | None) -> str:
        how = decision or self.decision
        if how not in DECISIONS:
            hint = suggestion(how, DECISIONS)
            raise ValueError(f"decision must be one of {', '.join(DECISIONS)}, but is {how!r}.{hint}")
        if how == "auto":
            return "tuned" if self._has_offsets else "auto"
        if how == "tuned" and not self._has_offsets:
            raise DataError('decision="tuned" needs held-out documents: train with them, or decide otherwise.')
        return how


class _Prepared(NamedTuple):
    """Lines in document order, lines of each document, and where each of the caller's rows is."""

    lines: Any
    lengths: list[int]
    back: np.ndarray


def load_serving(source: str | Path | bytes, backend: str = "auto", threads: int | None = None) -> ServingModel:
    """Load a saved model for prediction.

    Parameters
    ----------
    source : str, Path or bytes
        Folder or file that ``RNNSkolModel.save`` wrote, or the bytes of such a file.
    backend : {"auto", "onnx", "keras"}, default "auto"
        What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, else Keras.
    threads : int, optional
        Threads that ONNX Runtime may use; one for each core if not given.

    Returns
    -------
    ServingModel
        The model.

    Raises
    ------
    BundleError
        If there is no model, it is damaged, foreign or newer, or has no graph and ``backend="onnx"``.
    ImportError
        If what runs the network is not installed.
    ValueError
        If there is no such backend.
    """
    bundle = Bundle.from_bytes(source) if isinstance(source, bytes) else load_bundle(source)
    return ServingModel(bundle, backend, threads)


def chosen_backend(bundle: Bundle, backend: str = "auto") -> str:
    """Choose what runs the network of a bundle."""
    if backend not in BACKENDS:
        raise ValueError(
            f"backend must be one of {', '.join(BACKENDS)}, but is {backend!r}.{suggestion(backend, BACKENDS)}"
        )
    has_runtime = importlib.util.find_spec("onnxruntime") is not None
    if backend == "onnx" and bundle.graph is None:
        raise BundleError("The model was saved without a graph for ONNX Runtime: use Keras, or save it anew.")
    if backend == "onnx" or (backend == "auto" and bundle.graph is not None and has_runtime):
        return "onnx"
    if importlib.util.find_spec("keras") is not None:
        return "keras"
    if bundle.graph is None:
        raise ImportError(
            "The model was saved without a graph for ONNX Runtime, and needs Keras: pip install skol_rnn."
        )
    raise ImportError("Neither Keras nor ONNX Runtime is installed: pip install 'skol_rnn[serve]'.")


def _decision_of(state: Mapping[str, Any], has_offsets: bool) -> str:
    """Return how the model decides: without held-out documents there are no offsets to decide by."""
    decision = str(state["parameters"]["decision"])
    left_open = "decision" in state.get("not_given", ())
    return "corrected" if decision == "tuned" and left_open and not has_offsets else decision


def _keras_parts(bundle: Bundle) -> tuple[FeatureFamily, LineNetwork]:
    from skol_rnn.inference.labeller import Labeller
    from skol_rnn.training.batches import KerasNetwork

    labeller = Labeller.from_state(bundle.state, bundle.network, bundle.features)
    return labeller.features, KerasNetwork(labeller.network)
