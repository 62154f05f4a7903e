"""What runs a saved network: Keras or ONNX Runtime, with weights of 32 or 8 bits."""

from __future__ import annotations

import importlib.util

from skol_rnn.errors import BundleError
from skol_rnn.frameworks import choose_backend
from skol_rnn.inference.onnx_runner import int8_is_fast
from skol_rnn.labels import check_choice
from skol_rnn.persistence.bundle import Bundle

BACKENDS = ("auto", "onnx", "keras")
"""What runs the network: "auto" is ONNX Runtime where it is installed and the model has a graph, otherwise Keras."""
PRECISIONS = ("auto", "float32")
"""Weights of the LSTMs in ONNX Runtime: "auto" is 8 bits where the model has them and the processor is fast with them."""

WITHOUT_NETWORK = "numpy"
"""The backend of a model that has no network."""

_NO_GRAPH = "The model was saved without a graph for ONNX Runtime"


def chosen_backend(bundle: Bundle, backend: str = "auto") -> str:
    """Choose what runs the network of a bundle; "numpy" for one without a network."""
    check_choice("backend", backend, BACKENDS)
    if bundle.state.get("network") is None:
        if backend != "auto":
            raise BundleError(
                f'The model is linear (preset="instant") and has no network: leave out backend="{backend}".'
            )
        return WITHOUT_NETWORK
    has_runtime = importlib.util.find_spec("onnxruntime") is not None
    if backend == "onnx" and bundle.graph is None:
        raise BundleError(f'{_NO_GRAPH}: use backend="keras", or save it again.')
    if backend == "onnx" or (backend == "auto" and bundle.graph is not None and has_runtime):
        return "onnx"
    if importlib.util.find_spec("keras") is not None:
        choose_backend()  # before any work: is there a framework for it?
        return "keras"
    if bundle.graph is None:
        raise ImportError(f"{_NO_GRAPH}, and needs Keras: pip install skol_rnn.")
    raise ImportError("Neither Keras nor ONNX Runtime is installed: pip install 'skol_rnn[serve]'.")


def chosen_precision(bundle: Bundle, backend: str, precision: str) -> str:
    """Choose the weights that ONNX Runtime computes with."""
    check_choice("precision", precision, PRECISIONS)
    return "int8" if precision == "auto" and backend == "onnx" and bundle.int8_graph and int8_is_fast() else "float32"
