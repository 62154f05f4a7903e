"""Label every line of a document when the class that matters is a hundred times rarer than the rest.

The path of a document, one module a stage:

========== ===============================================================
documents  the table of lines that everything shares
features   line to numbers
windows    documents to overlapping windows and back
network    the BiLSTM
decoding   probabilities to labels
evaluation labels to precision, recall, F1, loss and support by class
report     that as text, Markdown, CSV and HTML
========== ===============================================================

Names are loaded when they are first used, so that ``import skol_rnn`` takes no TensorFlow with it.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "RNNSkolModel": "model",
    "load_model": "model",
    "SkolClassifierV2": "classifier",
    "DiskStore": "model_store",
    "RedisStore": "model_store",
    "load_serving": "serving",
    "build_bilstm_model": "network",
    "weighted_categorical_crossentropy": "losses",
    "read_documents": "formats",
    "write_documents": "formats",
    "evaluate_labels": "evaluation",
    "label_distribution": "distribution",
    "class_weight_strategy": "class_weights",
    "ClassWeights": "class_weights",
    "oversample_documents_with_rare_labels": "sampling",
    "stratified_document_sample": "sampling",
    "apply_sequence_rules": "decoding",
    "diagnose": "diagnosis",
    "tune_class_weights": "tuning",
    "SpanRules": "spans",
    "fragment_scores": "spans",
    "strict_scores": "spans",
    "boundary_errors": "spans",
    "LabelSet": "labels",
    "DataError": "errors",
    "BundleError": "errors",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"skol_rnn.{_HOME[name]}"), name)
    raise AttributeError(f"module 'skol_rnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
