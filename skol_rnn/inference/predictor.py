"""The one predictor: features, windows, network and decoder, with Keras or ONNX Runtime, or a linear model alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.frames import columns_of
from skol_rnn.data.table import Lines, lengths_of, object_array, rows_of, shared_columns, whole_documents
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.purpose import Rule
from skol_rnn.errors import BundleError
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.features.families import features_from_state
from skol_rnn.inference.array_schema import check_model, rebuilding
from skol_rnn.inference.backends import WITHOUT_NETWORK, chosen_backend, chosen_precision
from skol_rnn.inference.bags import bags
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.onnx_runner import OnnxRunner
from skol_rnn.inference.second_pass import SecondPass
from skol_rnn.inference.windowed import PredictionWindows, Runner, run_windows, saved_runner
from skol_rnn.labels import LabelSet
from skol_rnn.persistence.bundle import Bundle, Key, load_bundle

if TYPE_CHECKING:
    import pandas as pd

    from skol_rnn.data.inputs import Input

CHUNK = 5_000
"""Lines predicted at a time, in whole documents: it bounds memory."""


@dataclass(frozen=True)
class Predictor:
    """All that prediction needs; ``RNNSkolModel``, ``ServingModel``, the command line and Spark predict through it.

    A linear model alone has no runner and no windows.
    """

    labels: LabelSet
    features: FeatureFamily
    runner: Runner | None
    windows: PredictionWindows | None
    decoder: Decoder
    linear: LinearMember | None = None
    second: SecondPass | None = None
    watch: Callable[[int, int], object] | None = None  # called with the rows predicted so far, and all of them

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, backend: str, threads: int | None = None, precision: str = "float32"
    ) -> Predictor:
        """Check a saved model, and rebuild its predictor."""
        check_model(bundle)
        with rebuilding():
            return cls._rebuilt(bundle, backend, threads, precision)

    @classmethod
    def _rebuilt(cls, bundle: Bundle, backend: str, threads: int | None, precision: str) -> Predictor:
        state = bundle.state
        if state["parameters"].get("merge", "centre") != "centre":
            raise BundleError("The model was saved with a merge of windows that is gone: train it again.")
        linear = LinearMember.from_arrays(bundle.features)
        runner, windows = None, None
        if backend != WITHOUT_NETWORK:
            runner, windows = saved_runner(bundle, backend, threads, precision)
        elif linear is None:
            raise BundleError("The model has neither a network nor a linear part: it is damaged, copy it again.")
        labels = LabelSet(tuple(state["labels"]))
        features = features_from_state(state["features"]["name"], state["features"]["settings"], bundle.features)
        second = SecondPass.from_arrays(bundle.features)
        return cls(labels, features, runner, windows, saved_decoder(bundle), linear, second)

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
        if self.linear is None:
            assert self.runner and self.windows  # one of the two is there
            return run_windows(self.runner, self.windows, features, lengths)
        if self.runner is None:
            return self.linear.alone(self.features.in_one_bag(features), lengths)
        return self.linear.combined(*self.sources(features, lengths), lengths, self.second)

    def sources(self, features: LineFeatures, lengths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the posteriors of the network and of the linear model, each (lines, labels)."""
        assert self.linear and self.runner and self.windows
        runner, words = self.runner, None
        if self._bag_table is not None and isinstance(runner, OnnxRunner):
            found = bags(self._bag_table, features.ids)
            vectors, words = np.split(found, [found.shape[1] - self.linear.n_word_scores], axis=1)
            runner = runner.with_bags(vectors)
        raw = run_windows(runner, self.windows, features, lengths)
        return self.linear.sources(raw, self.features.in_one_bag(features), lengths, words)

    @cached_property
    def _bag_table(self) -> np.ndarray | None:
        """The network's embeddings and the linear model's scores of words, side by side, where both sum the same ids."""
        if self.linear is None or not isinstance(self.runner, OnnxRunner) or self.runner.embeddings is None:
            return None
        embeddings, words = self.runner.embeddings, self.linear.words.reshape(-1, self.linear.n_word_scores)
        if self.features.context_slots or len(embeddings) != len(words):
            return None
        return np.concatenate([embeddings, words], axis=1)


def saved_decoder(bundle: Bundle) -> Decoder:
    """Rebuild the decoder of a saved model."""
    # Early models tuned offsets on any validation set.
    tuned = bool(bundle.state["validation_documents"] or bundle.state["parameters"].get("tuning_folds"))
    return Decoder.from_arrays(bundle.decision, tuned, bundle.state["labels"])


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
    precision : {"auto", "float32"}, default "auto"
        Weights of the LSTMs in ONNX Runtime: "auto" is 8 bits where the model has them and the processor is fast with them.

    Attributes
    ----------
    name : str
        Name of the model.
    labels : tuple of str
        Labels in the order of the probabilities.
    counts : ndarray of int, shape (labels,)
        Training lines of each label.
    majority : str
        The most frequent label of the training data.
    unit : str
        What a row is, "line" or "token".
    backend : str
        "onnx" or "keras"; "numpy" for the linear model of ``preset="instant"``.
    precision : str
        "int8" or "float32".
    decision : str
        How labels are decided by default.
    predictor : Predictor
        Features, windows, network and decoder.

    Raises
    ------
    ValueError
        If there is no such backend or precision.
    BundleError
        If the bundle cannot be used, or has no graph and ``backend="onnx"``.
    ImportError
        If what runs the network is not installed.
    """

    def __init__(
        self, bundle: Bundle, backend: str = "auto", threads: int | None = None, precision: str = "auto"
    ) -> None:
        state = bundle.state
        self.backend = chosen_backend(bundle, backend)
        self.precision = chosen_precision(bundle, self.backend, precision)
        self.predictor = Predictor.from_bundle(bundle, self.backend, threads, self.precision)
        self.name: str = state["name"]
        self.labels: tuple[str, ...] = self.predictor.labels.names
        self.counts: np.ndarray = bundle.decision["counts"]
        self.majority = self.labels[int(np.argmax(self.counts))]
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
        """Label the lines of many tables, some thousand lines at a time; the largest one decides how much memory.

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
        how = self.predictor.decoder.resolved(decision or self.decision)
        waiting: list[tuple[Lines, np.ndarray]] = []
        rows = 0
        for table in tables:
            waiting.append(self._in_order(table))
            rows += len(waiting[-1][1])
            if rows >= CHUNK:
                yield from self._predictions(waiting, how)
                waiting, rows = [], 0
        if waiting:
            yield from self._predictions(waiting, how)

    def _predictions(self, tables: list[tuple[Lines, np.ndarray]], decision: str | Rule) -> Iterator[Predictions]:
        lengths = [lengths_of(lines) for lines, _ in tables]
        if len(tables) == 1:  # it may exceed a chunk
            raw = self.predictor.probabilities(tables[0][0])
        else:
            parts = [self.predictor.features.transform(lines) for lines in _joined([lines for lines, _ in tables])]
            features = LineFeatures(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            raw = self.predictor.probabilities_of(features, list(chain(*lengths)))
        decoder, names, start = self.predictor.decoder, np.array(self.labels, dtype=object), 0
        posterior = decoder.posterior(raw)
        found = names[decoder.decide(raw, list(chain(*lengths)), decision, posterior)]
        for _, back in tables:
            end = start + len(back)
            yield Predictions(found[start:end][back], posterior[start:end][back])
            start = end

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


def load_serving(
    source: str | Path | bytes,
    backend: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
    verify: Key | None = None,
) -> ServingModel:
    """Load a saved model for prediction.

    Parameters
    ----------
    source : str, Path or bytes
        Folder or file that ``RNNSkolModel.save`` wrote, or the bytes of such a file.
    backend : {"auto", "onnx", "keras"}, default "auto"
        What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, otherwise Keras.
    threads : int, optional
        Threads of ONNX Runtime; one for each core if not given.
    precision : {"auto", "float32"}, default "auto"
        Weights of the LSTMs in ONNX Runtime: "auto" is 8 bits where the model has them and the processor is fast with them.
    verify : str or bytes, optional
        The key that the model must be signed with.

    Returns
    -------
    ServingModel
        The model.

    Raises
    ------
    BundleError
        If there is no model, it is damaged, foreign, newer or not signed with the key, or has no graph and
        ``backend="onnx"``.
    ImportError
        If what runs the network is not installed.
    ValueError
        If there is no such backend or precision.
    """
    bundle = Bundle.from_bytes(source, verify=verify) if isinstance(source, bytes) else load_bundle(source, verify)
    return ServingModel(bundle, backend, threads, precision)
