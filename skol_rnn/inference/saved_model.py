"""A trained ``RNNSkolModel`` as a bundle of JSON values and arrays, and back."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import skol_rnn
from skol_rnn.errors import GraphWarning, NotTrainedError
from skol_rnn.evaluation.findings import Finding
from skol_rnn.evaluation.history import History
from skol_rnn.imbalance.class_weights import ClassWeights, is_frozen_file
from skol_rnn.inference.array_schema import rebuilding
from skol_rnn.inference.backends import WITHOUT_NETWORK
from skol_rnn.inference.card import card_text
from skol_rnn.inference.predictor import Predictor, saved_decision
from skol_rnn.labels import printable
from skol_rnn.persistence.bundle import Bundle, Key, check_key, load_bundle, save_bundle

_LONGEST_REASON = 300


class SavedModel:
    """The state of a trained ``RNNSkolModel``, and how it becomes a bundle and back."""

    labels_: list[str]
    other_: str | None
    settings_: dict[str, Any]
    class_weights_: ClassWeights
    weights_: np.ndarray
    counts_: np.ndarray
    findings_: list[Finding]
    history_: History
    validation_documents_: list[str]
    card_: dict[str, Any]
    _predictor: Predictor
    _network_spec: dict[str, Any] | None  # None without a network
    # Parameters, which ModelParameters sets.
    name: str
    unit: str
    label_col: str
    line_no_col: str
    verbosity: int
    important: Sequence[str] | None
    class_weights: Any

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...  # noqa: D102

        def set_params(self, **parameters: Any) -> Self: ...  # noqa: D102

    def bundle(self) -> Bundle:
        """Return the trained model as JSON values and arrays.

        Returns
        -------
        Bundle
            What :meth:`set_bundle` reads.

        Raises
        ------
        NotTrainedError
            If the model is not trained.
        """
        if not self.__sklearn_is_fitted__():
            raise NotTrainedError("No model to save: call fit() first.")
        predictor = self._predictor
        feature_settings, feature_arrays = predictor.features.state()
        parameters = self._settings()
        if isinstance(parameters["class_weights"], ClassWeights) or is_frozen_file(parameters["class_weights"]):
            parameters |= {"class_weights": None, "frozen_weights": True}
        state = {
            "labels": self.labels_,
            "features": {"name": predictor.features.name, "settings": feature_settings},
            "network": self._network_spec,
            "name": self.name,
            "parameters": parameters,
            "not_given": [name for name, value in self.get_params().items() if value is None],
            "class_weights": self.class_weights_.to_dict(),
            "diagnosis": [asdict(finding) for finding in self.findings_],
            "other": self.other_,
            "history": self.history_,
            "validation_documents": self.validation_documents_,
            "skol_rnn_version": skol_rnn.__version__,
            **({"card": self.card_} if self.card_ else {}),
        }
        state = json.loads(json.dumps(state, default=_plain))
        arrays = feature_arrays | (predictor.linear.arrays() if predictor.linear else {})
        arrays |= predictor.second.arrays() if predictor.second else {}
        decision = {"weights": self.weights_, "counts": self.counts_, **predictor.decoder.arrays()}
        network: dict[str, np.ndarray] = {}
        graph = int8_graph = None
        if predictor.runner:
            network = {weight.path: np.asarray(weight) for weight in self.keras_model.weights}
            graph = _graph(self.keras_model, parameters["window_size"])
            int8_graph = _graph(self.keras_model, parameters["window_size"], int8=True) if graph else None
        card = card_text(state) if self.card_ else None  # models trained before there were cards have none
        return Bundle(state, network, arrays, decision, graph, card, int8_graph)

    def save(self, path: str | Path, sign: Key | None = None) -> Path:
        """Save the trained model as a folder, or as one file if the path ends in ``.skol`` or ``.zip``.

        Parameters
        ----------
        path : path
            Folder or file; an older model there is replaced.
        sign : str or bytes, optional
            A secret key of at least 16 bytes to sign the model with, so that ``load(verify=...)`` accepts it.

        Returns
        -------
        Path
            The path.
        """
        if sign is not None:
            check_key(sign)
        return save_bundle(self.bundle(), path, sign)

    def load(self, path: str | Path, verify: Key | None = None) -> Self:
        """Become the model saved at a path: its parameters, labels, weights and network.

        Parameters
        ----------
        path : path
            Folder or file.
        verify : str or bytes, optional
            The key that the model must be signed with.

        Returns
        -------
        RNNSkolModel
            Self.

        Raises
        ------
        BundleError
            If there is no model, or it is damaged, foreign, newer or not signed with the key.
        """
        return self.set_bundle(load_bundle(path, verify))

    def set_bundle(self, bundle: Bundle) -> Self:
        """Become the model of a bundle.

        Parameters
        ----------
        bundle : Bundle
            What :meth:`bundle` returned.

        Returns
        -------
        RNNSkolModel
            Self.
        """
        predictor = Predictor.from_bundle(bundle, "keras" if bundle.state.get("network") else WITHOUT_NETWORK)
        with rebuilding():
            return self._become(bundle, predictor)

    def _become(self, bundle: Bundle, predictor: Predictor) -> Self:
        state = bundle.state
        parameters = dict(state["parameters"])
        self.class_weights_ = ClassWeights.from_dict(state["class_weights"])
        if parameters.pop("frozen_weights", False):
            parameters["class_weights"] = self.class_weights_
        parameters["decision"] = saved_decision(state, predictor.decoder)
        self.settings_ = self._set_saved(parameters, state.get("not_given", ()))
        self._predictor, self._network_spec = predictor, state["network"]
        self.labels_, self.other_ = state["labels"], state["other"]
        self.history_, self.validation_documents_ = History(state["history"]), state["validation_documents"]
        self.findings_ = [Finding(**finding) for finding in state["diagnosis"]]
        self.card_ = state.get("card", {})
        self.weights_, self.counts_ = bundle.decision["weights"], bundle.decision["counts"]
        return self

    def _set_saved(self, parameters: Mapping[str, Any], not_given: Sequence[str]) -> dict[str, Any]:
        raise NotImplementedError

    def _settings(self) -> dict[str, Any]:
        """Return the parameters; those that are None as training resolved them."""
        given = self.get_params()
        drawn = ("random_state",)  # a generator, or NumPy's number, is saved as the seed that training used
        return {n: self.settings_[n] if value is None or n in drawn else value for n, value in given.items()}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_predictor")

    def _require_trained(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotTrainedError("Model not trained. Call fit() first.")

    @property
    def keras_model(self) -> Any:
        """The Keras network; its output are logits."""
        self._require_trained()
        if self._predictor.runner is None:
            raise AttributeError('preset="instant" trains a linear model: there is no Keras network.')
        return self._predictor.runner.network  # type: ignore[attr-defined]


_WITHOUT = "without a graph for ONNX Runtime and predicts with Keras only"
_WITHOUT_INT8 = "without 8-bit weights and predicts with those of 32 bits only"


def _graph(network: Any, window_size: int, int8: bool = False) -> bytes | None:
    """Export the network; where that fails, warn and return None: a trained model must not be lost."""
    from skol_rnn.inference.onnx_export import ExportError, network_graph  # loads Keras

    try:
        return network_graph(network, window_size, int8)
    except Exception as error:  # whatever it is
        reason = str(error) if isinstance(error, ExportError) else f"{type(error).__name__}: {error}"
        warnings.warn(
            f"The model is saved {_WITHOUT_INT8 if int8 else _WITHOUT}: "
            f"{printable(' '.join(reason.split()))[:_LONGEST_REASON].removesuffix('.')}.",
            GraphWarning,
            stacklevel=3,
        )
    return None


def _plain(value: Any) -> Any:
    """Convert NumPy's numbers and mappings to what JSON has."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
