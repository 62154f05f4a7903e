"""The one predictor: features, windows, network and decoder, with Keras or ONNX Runtime."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from skol_rnn.data.frames import columns_of
from skol_rnn.data.table import Lines, lengths_of, object_array, rows_of, shared_columns, whole_documents
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.errors import BundleError
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.features.families import features_from_state
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.onnx_runner import OnnxRunner
from skol_rnn.labels import LabelSet, check_choice
from skol_rnn.persistence.bundle import Bundle, load_bundle
from skol_rnn.windows import cut_windows, merge_windows

if TYPE_CHECKING:
    import pandas as pd

    from skol_rnn.data.inputs import Input

BACKENDS = ("auto", "onnx", "keras")
"""What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, otherwise Keras."""
CHUNK = 5_000
"""Lines predicted at a time, in whole documents: it bounds memory."""

_NO_GRAPH = "The model was saved without a graph for ONNX Runtime"
_ONNX_LINES = 1_000  # in the windows of a batch, at most: more do not fit the processor's cache


class Runner(Protocol):
    """What runs the network: Keras or ONNX Runtime."""

    n_labels: int

    def logits(self, features: LineFeatures, lines: np.ndarray) -> np.ndarray:
        """Compute logits (windows, window, labels) of windows of line indices; -1 is padding, on the right."""


@dataclass(frozen=True)
class PredictionWindows:
    """Size and stride of prediction windows, and how many form a batch."""

    window_size: int
    stride: int
    batch_size: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> PredictionWindows:
        """Read the settings of a trained model; early models used the window of training, the first a third of it."""
        size = settings.get("prediction_window_size") or settings["window_size"]
        return cls(size, settings["prediction_stride"] or max(size // 3, 1), settings["prediction_batch_size"])


@dataclass(frozen=True)
class Predictor:
    """All that prediction needs; ``RNNSkolModel``, ``ServingModel``, the command line and Spark predict through it."""

    labels: LabelSet
    features: FeatureFamily
    runner: Runner
    windows: PredictionWindows
    decoder: Decoder
    linear: LinearMember | None = None
    watch: Callable[[int, int], object] | None = None  # called with the rows predicted so far, and all of them

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
            most = max(_ONNX_LINES // windows.window_size, 1)
            windows = replace(windows, batch_size=min(windows.batch_size, most))
        else:
            import skol_rnn.network  # noqa: F401  # checks the backend of Keras
            from skol_rnn.inference.keras_runner import KerasRunner  # loads TensorFlow

            runner = KerasRunner.rebuilt(state["network"], bundle.network)
        labels, linear = LabelSet(tuple(state["labels"])), LinearMember.from_arrays(bundle.features)
        features = features_from_state(state["features"]["name"], state["features"]["settings"], bundle.features)
        return cls(labels, features, runner, windows, saved_decoder(bundle), linear)

    def probabilities(self, table: Lines) -> np.ndarray:
        """Compute the network's probabilities, (lines, labels), for a table in document order."""
        pieces = [np.zeros((0, len(self.labels)))]
        for start, end in whole_documents(table, CHUNK):
            part = rows_of(table, start, end)
            pieces.append(self.probabilities_of(self.features.transform(part), lengths_of(part)))
            if self.watch:
                self.watch(end, len(table["value"]))
        return np.concatenate(pieces)

    def probabilities_of(self, features: LineFeatures, lengths: Sequence[int]) -> np.ndarray:
        """Compute the same, float64, from features of documents of some lengths."""
        windows = self.windows
        cut = cut_windows(lengths, windows.window_size, windows.stride)
        values = np.zeros((*cut.lines.shape, self.runner.n_labels), np.float32)  # (windows, window, labels)
        for i in range(0, len(cut), windows.batch_size):
            batch = slice(i, i + windows.batch_size)
            longest = int(np.count_nonzero(cut.lines[batch] >= 0, axis=1).max())  # short documents need no long window
            logits = self.runner.logits(features, cut.lines[batch, :longest])
            exponents = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
            values[batch, :longest] = exponents / exponents.sum(axis=-1, keepdims=True)
        found = merge_windows(values, cut)
        return self.linear.mixed(found, features, lengths) if self.linear else found


def saved_decoder(bundle: Bundle) -> Decoder:
    """Rebuild the decoder of a saved model."""
    # Early models tuned offsets on any validation set.
    tuned = bool(bundle.state["validation_documents"] or bundle.state["parameters"].get("tuning_folds"))
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

    def to_frame(self) -> pd.DataFrame:
        """Return a table with ``predicted``, the label, and ``probability``, the largest one."""
        from skol_rnn.report.notebook import predictions_frame

        return predictions_frame(self.labels, self.probabilities)

    def __repr__(self) -> str:
        return f"Predictions(rows={len(self.labels)}, labels={self.probabilities.shape[-1]})"

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import predictions_html

        return predictions_html(self.labels, self.probabilities)


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
    majority : str
        The most frequent label of the training data.
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
        self.majority = self.labels[int(np.argmax(bundle.decision["counts"]))]
        self.unit: str = state["parameters"].get("unit", "line")
        self.decision = saved_decision(state, self.predictor.decoder)
        self._line_no_col: str = state["parameters"]["line_no_col"]

    def predict_proba(self, table: Any, raw: bool = False) -> np.ndarray | list[np.ndarray]:
        """Compute the probability of each label for each line.

        Parameters
        ----------
        table : DataFrame, mapping of str to sequence, or other data
            Lines: ``value`` and ``doc_id`` (or ``filename``); optional are the line numbers, ``blank_before`` and
            ``page_break``.  All that ``RNNSkolModel.predict`` takes is taken here.
        raw : bool, default False
            Whether to return the network's probabilities instead of posteriors.

        Returns
        -------
        ndarray of float64, shape (lines, labels), or list of such
            One row a line, in the order of the table; for a list of documents, one array a document.

        Raises
        ------
        DataError
            If the table cannot be used.
        """
        given = self._given(table)
        lines, back = self._in_order(given)
        found = self.predictor.probabilities(lines)
        found = found if raw else self.predictor.decoder.posterior(found)
        return found[back] if isinstance(given, dict) else given.restore(found)

    def predict(self, table: Any, decision: str | None = None) -> np.ndarray:
        """Label each line.

        Parameters
        ----------
        table : DataFrame, mapping of str to sequence, or other data
            As for :meth:`predict_proba`.
        decision : str, optional
            "auto", "corrected", "argmax", "tuned" or "viterbi"; the model's own if not given.

        Returns
        -------
        ndarray of object
            A label a line, in the order of the table; for a list of documents, one list of labels a document.

        Raises
        ------
        DataError
            If the table cannot be used, or offsets were not tuned for "tuned".
        ValueError
            If there is no such decision.
        """
        given = self._given(table)
        labels = next(self.predict_documents([given], decision)).labels
        return labels if isinstance(given, dict) else given.label_lists(labels)

    def predict_documents(self, tables: Iterable[Any], decision: str | None = None) -> Iterator[Predictions]:
        """Label the lines of many tables, some thousand lines at a time, in constant memory.

        Parameters
        ----------
        tables : iterable of (DataFrame, mapping of str to sequence, or other data)
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
        waiting: list[tuple[Lines, np.ndarray]] = []
        rows = 0
        for table in tables:
            waiting.append(self._in_order(table))
            rows += len(waiting[-1][1])
            if rows >= CHUNK:
                yield from self._predictions(waiting, decision)
                waiting, rows = [], 0
        if waiting:
            yield from self._predictions(waiting, decision)

    def _predictions(self, tables: list[tuple[Lines, np.ndarray]], decision: str) -> Iterator[Predictions]:
        lengths = [lengths_of(lines) for lines, _ in tables]
        if len(tables) == 1:  # it may exceed a chunk
            raw = self.predictor.probabilities(tables[0][0])
        else:
            parts = [self.predictor.features.transform(lines) for lines in _joined([lines for lines, _ in tables])]
            features = LineFeatures(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            raw = self.predictor.probabilities_of(features, list(chain(*lengths)))
        decoder, names, start = self.predictor.decoder, np.array(self.labels, dtype=object), 0
        for (_, back), sizes in zip(tables, lengths, strict=True):
            rows = raw[start : start + len(back)]
            start += len(rows)
            yield Predictions(names[decoder.decide(rows, sizes, decision)][back], decoder.posterior(rows)[back])

    def _given(self, data: Any) -> Input | dict[Any, Any]:
        """Return data as columns, or converted with pandas."""
        if (columns := columns_of(data)) is not None:
            return columns
        from skol_rnn.data.inputs import Input  # loads pandas

        return Input.of(data, line_no_col=self._line_no_col, unit=self.unit)

    def _in_order(self, data: Any) -> tuple[Lines, np.ndarray]:
        """Return the lines in document order, and the position of each of the caller's rows in it."""
        given = self._given(data)
        if isinstance(given, dict):
            lines: Lines = shared_columns(given, line_no_col=self._line_no_col)
        else:
            lines = given.table
        return lines, np.argsort(np.asarray(lines["order"]), kind="stable")


def _joined(tables: list[Lines]) -> list[Lines]:
    """Join tables of columns where all have the same: the features of many short ones take much longer one by one."""
    if not all(isinstance(table, Mapping) and table.keys() == tables[0].keys() for table in tables):
        return tables
    joined = {name: np.concatenate([np.asarray(table[name]) for table in tables]) for name in tables[0].keys()}
    # Documents of two tables may have one name.
    names = (f"{number}/{name}" for number, table in enumerate(tables) for name in table["doc_id"])
    return [joined | {"doc_id": object_array(names)}]


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
        raise BundleError(f'{_NO_GRAPH}: use backend="keras", or save it again.')
    if backend == "onnx" or (backend == "auto" and bundle.graph is not None and has_runtime):
        return "onnx"
    if importlib.util.find_spec("keras") is not None:
        from skol_rnn.network.choice import choose_backend

        choose_backend()  # before any work: is there a framework for it?
        return "keras"
    if bundle.graph is None:
        raise ImportError(f"{_NO_GRAPH}, and needs Keras: pip install skol_rnn.")
    raise ImportError("Neither Keras nor ONNX Runtime is installed: pip install 'skol_rnn[serve]'.")
