"""The network as Keras runs it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from skol_rnn.errors import BundleError
from skol_rnn.features.base import LineFeatures
from skol_rnn.network.backend import padded_for_jax
from skol_rnn.network.build import NetworkSpec, build_network

Inputs = tuple[np.ndarray, np.ndarray, np.ndarray]


def load_tensorflow() -> None:
    """Run one operation: TensorFlow looks for devices, and prints about them, at the first one."""
    keras.ops.zeros(1)


def window_inputs(features: LineFeatures, lines: np.ndarray) -> Inputs:
    """Gather ids, numbers and mask of windows of line indices; -1 is padding."""
    mask = lines >= 0
    rows = np.maximum(lines, 0)
    return features.ids[rows] * mask[..., None], features.numbers[rows] * mask[..., None], mask


class KerasRunner:
    """Runs the network with Keras on windows whose inputs are gathered first."""

    def __init__(self, network: keras.Model) -> None:
        self.network, self.n_labels = network, int(network.output_shape[-1])

    @classmethod
    def rebuilt(cls, spec: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> KerasRunner:
        """Build a saved network and set its weights."""
        network = build_network(NetworkSpec.from_dict(spec))
        for weight in network.weights:
            array = arrays.get(weight.path)
            if array is None or array.shape != tuple(weight.shape):
                raise BundleError(f"The model's array {weight.path!r} is missing or has the wrong shape.")
            weight.assign(array)
        return cls(network)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights by path, for the saved model."""
        return {weight.path: np.asarray(weight) for weight in self.network.weights}

    def logits(self, features: LineFeatures, lines: np.ndarray) -> np.ndarray:
        """Compute logits (windows, window, labels) of windows of line indices; -1 is padding."""
        logger = logging.getLogger("tensorflow")

        def keep(record: logging.LogRecord) -> bool:
            return "retracing" not in record.getMessage()  # which is frequent: windows have many lengths

        logger.addFilter(keep)
        try:
            inputs = padded_for_jax(window_inputs(features, lines))
            return np.asarray(self.network.predict_on_batch(inputs))[: len(lines), : lines.shape[1]]
        finally:
            logger.removeFilter(keep)
