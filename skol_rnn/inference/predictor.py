"""The one predictor: features, windows, network and decoder, with Keras or ONNX Runtime."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.table import check_table, lengths_of, rows_of, shared_columns, whole_documents
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.errors import BundleError
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.features.families import features_from_state
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.onnx_runner import OnnxRunner
from skol_rnn.inference.windowed import CHUNK, PredictionWindows, Runner, predict_lines
from skol_rnn.labels import LabelSet, check_choice
from skol_rnn.persistence.bundle import Bundle, load_bundle

if TYPE_CHECKING:
    from skol_rnn.data.table import Lines

BACKENDS = ("auto", "onnx", "keras")
"""What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, otherwise Keras."""

_ONNX_BATCH = 64  # windows at a time, at most: more are no faster, and these fit the processor's cache


@dataclass(frozen=True)
class Predictor:
    """All that prediction needs; ``RNNSkolModel``, ``ServingModel``, the command line and Spark predict through it."""

    labels: LabelSet
    features: FeatureFamily
    runner: Runner
    windows: PredictionWindows
    decoder: Decoder
    linear: LinearMember | None = None

    @classmethod
    def from_bundle(cls, bundle: Bundle, backend: str, threads: int | None = None) -> Predictor:
        """Rebuild the predictor of a saved model."""
        state = bundle.state
        if state["parameters"].get("merge", "centre") != "centre":
            raise BundleError("The model was saved with a merge of windows that is gone: train it again.")
        windows = PredictionWindows.of(state["parameters"])
        if backend == "onnx":
            assert bundle.graph is not None
            runner: Runner = OnnxRunner(bundle.graph, bundle.network, threads)
            size, stride, batch = windows.window_size, windows.stride, windows.batch_size
            windows = PredictionWindows(size, stride, min(batch, _ONNX_BATCH))
        else:
            from skol_rnn.inference.keras_runner import KerasRunner  # loads TensorFlow

            runner = KerasRunner.rebuilt(state["network"], bundle.network)
        return cls(
            LabelSet(tuple(state["labels"])),
            features_from_state(state["features"]["name"], state["features"]["settings"], bundle.features),
            runner,
            windows,
            saved_decoder(bundle),
            LinearMember.from_arrays(bundle.features),
        )

    def probabilities(self, table: Lines) -> np.ndarray:
        """Compute the network's probabilities, (lines, labels), for a table in document order."""
        pieces = [np.zeros((0, len(self.labels)))]
        for start, end in whole_documents(table, CHUNK):
            part = rows_of(table, start, end)
            pieces.append(self.probabilities_of(self.features.transform(part), lengths_of(part)))
        return np.concatenate(pieces)

    def probabilities_of(self, features: LineFeatures, lengths: Sequence[int]) -> np.ndarray:
        """Compute the same from features of documents of some lengths."""
        found = predict_lines(self.runner, features, lengths, self.windows)
        return self.linear.mixed(found, features, lengths) if self.linear else found


def saved_decoder(bundle: Bundle) -> Decoder:
    """Rebuild the decoder of a saved model; early models tuned offsets on any validation set."""
    state = bundle.state
    tuned = bool(state["validation_documents"] or state["parameters"].get("tuning_folds"))
    return Decoder.from_arrays(bundle.decision, tuned)


def saved_decision(state: Mapping[str, Any], decoder: Decoder) -> str:
    """Return the decision of a saved model; "tuned" was the default for tokens once, also without tuned offsets."""
    decision = str(state["parameters"]["decision"])
    by_default = "decision" in state.get("not_given", ())
    return "corrected" if decision == "tuned" and by_default and not decoder.tuned else decision


class Predictions(NamedTuple):
    """Labels, shape (lines,), and posteriors, shape (lines, labels), of one table."""

    labels: np.ndarray
    probabilities: np.ndarray


class ServingModel:
    """A saved model that predicts; it needs no TensorFlow with ONNX Runtime, and no pandas for mappings.

    Parameters
    ----------
    bundle : Bundle
        The saved model.
    backend : {"auto", "onnx", "keras"}, default "auto"
        What runs the network.
    threads : int, optional
        Threads of ONNX Runtime; one for each core if not given.

    Attributes
    ----------
    name : str
        Name of the model.
    labels : tuple of str
        Labels in the order of the probabilities.
    unit : str
        What a row is, "line" or "token".
    backend : str
        "onnx" or "keras".
    decision : str
        How labels are decided by default.
    predictor : Predictor
        Features, windows, network and decoder.

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
        self.backend = chosen_backend(bundle, backend)
        self.predictor = Predictor.from_bundle(bundle, self.backend, threads)
        self.name: str = state["name"]
        self.labels: tuple[str, ...] = self.predictor.labels.names
        self.unit: str = state["parameters"].get("unit", "line")
        self.decision = saved_decision(state, self.predictor.decoder)
        self._line_no_col: str = state["parameters"]["line_no_col"]

    def predict_proba(self, table: Lines, raw: bool = False) -> np.ndarray:
        """Compute the probability of each label for each line.

        Parameters
        ----------
        table : DataFrame or mapping of str to sequence
            Lines: ``value`` and ``doc_id`` (or ``filename``); optional are the line numbers, ``blank_before`` and
            ``page_break``.
        raw : bool, default False
            Whether to return the network's probabilities instead of posteriors.

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
        found = self.predictor.probabilities(lines)
        return (found if raw else self.predictor.decoder.posterior(found))[back]

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
            If the table cannot be used, or offsets were not tuned for "tuned".
        ValueError
            If there is no such decision.
        """
        return next(self.predict_documents([table], decision)).labels

    def predict_documents(self, tables: Iterable[Lines], decision: str | None = None) -> Iterator[Predictions]:
        """Label the lines of many tables, some thousand lines at a time, in constant memory.

        Parameters
        ----------
        tables : iterable of (DataFrame or mapping of str to sequence)
            Lines of one or more whole documents each, as for :meth:`predict_proba`.
        decision : str, optional
            As for :meth:`predict`.

        Yields
        ------
        Predictions
            Labels and posteriors of each table in turn.

        Raises
        ------
        DataError
            If a table cannot be used, or offsets were not tuned for "tuned".
        ValueError
            If there is no such decision.
        """
        decision = self.predictor.decoder.resolved(decision or self.decision)
        waiting: list[_Ordered] = []
        for table in tables:
            lines, back = self._in_order(table)
            waiting.append(_Ordered(lines, lengths_of(lines), back))
            if sum(len(one.back) for one in waiting) >= CHUNK:
                yield from self._predictions(waiting, decision)
                waiting = []
        yield from self._predictions(waiting, decision)

    def _predictions(self, tables: list[_Ordered], decision: str) -> Iterator[Predictions]:
        if not tables:
            return
        if len(tables) == 1:  # it may exceed a chunk
            raw = self.predictor.probabilities(tables[0].lines)
        else:
            parts = [self.predictor.features.transform(table.lines) for table in tables]
            features = LineFeatures(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            raw = self.predictor.probabilities_of(features, [length for table in tables for length in table.lengths])
        decoder, names, start = self.predictor.decoder, np.array(self.labels, dtype=object), 0
        for table in tables:
            rows = raw[start : start + len(table.back)]
            start += len(rows)
            labels = names[decoder.decide(rows, table.lengths, decision)]
            yield Predictions(labels[table.back], decoder.posterior(rows)[table.back])

    def _in_order(self, table: Lines) -> tuple[Lines, np.ndarray]:
        """Return the lines in document order, and the position of each of the caller's rows in it."""
        if isinstance(table, Mapping):
            lines: Lines = shared_columns(table, line_no_col=self._line_no_col)
        else:
            lines = check_table(table, line_no_col=self._line_no_col)
        return lines, np.argsort(np.asarray(lines["order"]), kind="stable")


class _Ordered(NamedTuple):
    """Lines in document order, the length of each document, and the position of each of the caller's rows."""

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
        What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, otherwise Keras.
    threads : int, optional
        Threads of ONNX Runtime; one for each core if not given.

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
    check_choice("backend", backend, BACKENDS)
    has_runtime = importlib.util.find_spec("onnxruntime") is not None
    if backend == "onnx" and bundle.graph is None:
        raise BundleError(
            'The model was saved without a graph for ONNX Runtime: use backend="keras", or save it again.'
        )
    if backend == "onnx" or (backend == "auto" and bundle.graph is not None and has_runtime):
        return "onnx"
    if importlib.util.find_spec("keras") is not None:
        return "keras"
    if bundle.graph is None:
        raise ImportError(
            "The model was saved without a graph for ONNX Runtime, and needs Keras: pip install skol_rnn."
        )
    raise ImportError("Neither Keras nor ONNX Runtime is installed: pip install 'skol_rnn[serve]'.")
