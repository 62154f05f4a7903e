"""A trained labeller: features, windows and network in one, from a table of lines to probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from skol_rnn.errors import BundleError
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.features.families import features_from_state
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.inference.windowed import Sweep, line_probabilities, table_probabilities
from skol_rnn.labels import LabelSet
from skol_rnn.network.build import NetworkSpec, build_network
from skol_rnn.training.batches import KerasNetwork


@dataclass(frozen=True)
class Labeller:
    """What prediction needs, and nothing that only training does."""

    labels: LabelSet
    features: FeatureFamily
    spec: NetworkSpec
    network: keras.Model
    linear: LinearMember | None = None

    def probabilities(self, table: pd.DataFrame, sweep: Sweep) -> np.ndarray:
        """Compute each line's probabilities, any tilt of class weights still in them."""
        return table_probabilities(KerasNetwork(self.network), self.features, table, sweep, self.linear)

    def of_features(self, features: LineFeatures, lengths: list[int], sweep: Sweep) -> np.ndarray:
        """Compute the same from features that are at hand, ``lengths`` being the lines of each document."""
        return line_probabilities(KerasNetwork(self.network), features, lengths, sweep, self.linear)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return JSON values, arrays of the network, and arrays of the features and the linear member."""
        settings, arrays = self.features.state()
        values = {
            "labels": list(self.labels),
            "features": {"name": self.features.name, "settings": settings},
            "network": self.spec.to_dict(),
        }
        arrays = arrays | (self.linear.arrays() if self.linear else {})
        return values, {weight.path: np.asarray(weight) for weight in self.network.weights}, arrays

    @classmethod
    def from_state(
        cls, values: dict[str, Any], network: dict[str, np.ndarray], features: dict[str, np.ndarray]
    ) -> Labeller:
        """Rebuild a labeller from what :meth:`state` returned."""
        spec = NetworkSpec(**values["network"])
        built = build_network(spec)
        for weight in built.weights:
            array = network.get(weight.path)
            if array is None or array.shape != tuple(weight.shape):
                raise BundleError(f"The model's array {weight.path!r} is missing or has the wrong shape.")
            weight.assign(array)
        family = features_from_state(values["features"]["name"], values["features"]["settings"], features)
        linear = LinearMember.from_arrays(features)
        return cls(LabelSet(tuple(values["labels"])), family, spec, built, linear)
