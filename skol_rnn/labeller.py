"""A trained labeller: features, windows and network in one, from a table of lines to probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from skol_rnn.batches import predict_lines
from skol_rnn.errors import BundleError
from skol_rnn.features import FeatureFamily, LineFeatures, features_from_state
from skol_rnn.labels import LabelSet
from skol_rnn.network import NetworkSpec, build_network
from skol_rnn.windows import cut_windows

_CHUNK = 20_000  # lines worked on at a time, in whole documents: it bounds memory and cuts no document


@dataclass(frozen=True)
class Sweep:
    """How windows go over documents in prediction.

    Attributes
    ----------
    window_size, stride : int
        Lines in a window and from window to window.
    merge : str
        How the windows over a line are merged.
    batch_size : int
        Windows at a time.
    """

    window_size: int
    stride: int
    merge: str
    batch_size: int


@dataclass(frozen=True)
class Labeller:
    """What prediction needs, and nothing that only training does.

    Attributes
    ----------
    labels : LabelSet
        Labels in the order of the probabilities.
    features : FeatureFamily
        Fitted features.
    spec : NetworkSpec
        Sizes of the network.
    network : keras.Model
        The network.
    """

    labels: LabelSet
    features: FeatureFamily
    spec: NetworkSpec
    network: keras.Model

    def probabilities(self, table: pd.DataFrame, sweep: Sweep) -> np.ndarray:
        """Compute each line's probabilities, any tilt of class weights still in them.

        Parameters
        ----------
        table : DataFrame
            Lines of whole documents in order.
        sweep : Sweep
            How windows go over them.

        Returns
        -------
        ndarray of float64, shape (lines, labels)
            Rows sum to one.
        """
        pieces = [np.zeros((0, len(self.labels)))]
        for part in _document_chunks(table):
            pieces.append(self.of_features(self.features.transform(part), lengths_of(part), sweep))
        return np.concatenate(pieces)

    def of_features(self, features: LineFeatures, lengths: list[int], sweep: Sweep) -> np.ndarray:
        """Compute the same from features that are at hand, ``lengths`` being the lines of each document."""
        windows = cut_windows(lengths, sweep.window_size, sweep.stride)
        return predict_lines(self.network, features, windows, sweep.merge, sweep.batch_size)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return JSON values, arrays of the network and arrays of the features."""
        settings, arrays = self.features.state()
        values = {
            "labels": list(self.labels),
            "features": {"name": self.features.name, "settings": settings},
            "network": self.spec.to_dict(),
        }
        return values, {weight.path: np.asarray(weight) for weight in self.network.weights}, arrays

    @classmethod
    def from_state(
        cls, values: dict[str, Any], network: dict[str, np.ndarray], features: dict[str, np.ndarray]
    ) -> Labeller:
        """Rebuild a labeller from what :meth:`state` returned.

        Raises
        ------
        BundleError
            If the arrays do not fit the network that the numbers describe.
        """
        spec = NetworkSpec(**values["network"])
        built = build_network(spec)
        for weight in built.weights:
            array = network.get(weight.path)
            if array is None or array.shape != tuple(weight.shape):
                raise BundleError(f"The model's array {weight.path!r} is missing or has the wrong shape.")
            weight.assign(array)
        family = features_from_state(values["features"]["name"], values["features"]["settings"], features)
        return cls(LabelSet(tuple(values["labels"])), family, spec, built)


def lengths_of(table: pd.DataFrame) -> list[int]:
    """Count the lines of each document, in the table's order.

    Parameters
    ----------
    table : DataFrame
        Lines with ``doc_id``, each document's together.

    Returns
    -------
    list of int
        Lines of each document.

    Examples
    --------
    >>> lengths_of(pd.DataFrame({"doc_id": ["b", "b", "a"]}))
    [2, 1]
    """
    return table.groupby("doc_id", sort=False).size().tolist()


def _document_chunks(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Cut the table between documents into parts of about ``_CHUNK`` lines."""
    start = end = 0
    for length in lengths_of(table):
        end += length
        if end - start >= _CHUNK:
            yield table.iloc[start:end]
            start = end
    if end > start:
        yield table.iloc[start:end]
