"""The options of ``SkolClassifierV2``: their checks, plug-ins, former options, and the options in a saved model."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skol_rnn.classifier.segmentation import MODES
from skol_rnn.data.document import Document
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, suggestion
from skol_rnn.training.parameters import FORMER, PARAMETERS, current_names, refuse_both, saved_parameters

if TYPE_CHECKING:
    from skol_rnn.classifier.classifier import SkolClassifierV2

SOURCES: dict[str, Callable[[SkolClassifierV2, bool], Iterable[Document]]] = {}
"""Readers by ``input_source``: called with the classifier and whether labels are needed, they return documents."""
DESTINATIONS: dict[str, Callable[[SkolClassifierV2, str, str], None]] = {}
"""Writers by ``output_dest``: called with the classifier, a document's name and its text, they store it."""

PLUGIN_OPTIONS: Mapping[str, Any] = {
    "couchdb_url": None, "couchdb_database": None, "couchdb_training_database": None, "couchdb_username": None,
    "couchdb_password": None, "couchdb_pattern": "*.txt", "couchdb_doc_ids": None, "output_couchdb_suffix": ".ann",
    "output_couchdb_database": None, "output_couchdb_url": None,
}  # fmt: skip
"""Attributes for readers and writers in ``SOURCES`` and ``DESTINATIONS``, with their defaults."""
WITHOUT_EFFECT: Mapping[str, Any] = {
    "model_type": "rnn", "use_suffixes": True, "use_line_lengths": False, "min_doc_freq": 2, "word_vocab_size": 800,
    "suffix_vocab_size": 200, "section_name_vocab_size": 50, "union_batch_size": 1000, "incremental": False,
    "read_text": False, "save_text": None,
}  # fmt: skip
"""Former options with their defaults; any other value causes a warning."""
IGNORED = ("compute_label_frequencies", "num_classes", "num_workers", "use_gpu_in_udf")  # they never changed a label

CHOICES: Mapping[str, Sequence[str | None]] = {
    "extraction_mode": MODES,
    "output_format": ("annotated", "labels", "probs"),
    "on_error": ("raise", "collect"),
    "model_storage": ("disk", "redis", None),
    "weight_strategy": ("inverse", "balanced", "aggressive", None),
}
SAVED = ("extraction_mode", "section_filter", "collapse_labels", "weight_strategy", "min_weight", "max_weight")
"""Options of the classifier that a saved model restores."""
TUNABLE = ("prediction_batch_size", "prediction_stride", "batch_size")  # may differ from those of a saved model


def check_options(classifier: SkolClassifierV2) -> None:
    """Raise a ValueError if an option has an unknown value or contradicts another option."""
    for name, allowed in CHOICES.items():
        check_choice(name, getattr(classifier, name), allowed)
    for name, table, plugins in (("input_source", "SOURCES", SOURCES), ("output_dest", "DESTINATIONS", DESTINATIONS)):
        if getattr(classifier, name) == "couchdb" and "couchdb" not in plugins:
            place = f'skol_rnn.classifier.{table}["couchdb"]'
            raise ValueError(f'{name}="couchdb" needs your own function in {place}; see docs/spark.md.')
    check_choice("input_source", classifier.input_source, ("files", "strings", "dataframe", *SOURCES))
    check_choice("output_dest", classifier.output_dest, ("files", "strings", *DESTINATIONS, None))
    if classifier.model_storage == "disk" and classifier.model_path is None:
        raise ValueError('model_storage="disk" needs model_path.')
    if classifier.model_storage == "redis" and (classifier.redis_client is None or not classifier.redis_key):
        raise ValueError('model_storage="redis" needs redis_client and redis_key.')
    if classifier.weight_strategy is not None and classifier.model_params.get("focal_labels") is not None:
        raise ValueError("weight_strategy and focal_labels are mutually exclusive: leave one out.")
    if classifier.section_filter is not None and classifier.extraction_mode != "section":
        raise ValueError('section_filter needs extraction_mode="section".')


def split_options(options: Mapping[str, Any], own: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keyword arguments into attributes of the classifier and model parameters under their current names."""
    known = (*PARAMETERS, *FORMER, *PLUGIN_OPTIONS, *WITHOUT_EFFECT, *IGNORED, "line_level")
    for name in options:
        if name not in known:
            raise TypeError(f"SkolClassifierV2 has no option {name!r}.{suggestion(name, [*own, *known])}")
    check_choice("model_type", options.get("model_type", "rnn"), ("rnn",))
    without = [name for name, default in WITHOUT_EFFECT.items() if options.get(name, default) != default]
    if without:
        message = f"SkolClassifierV2 ignores {', '.join(without)}: features= and input_size= set its features."
        warnings.warn(message, FutureWarning, stacklevel=3)
    given = {name: value for name, value in options.items() if name in PARAMETERS}
    former = {name: value for name, value in options.items() if name in FORMER and name not in IGNORED}
    defaults = saved_parameters({})
    current = current_names(former, defaults | given, stacklevel=4)
    refuse_both(current["class_weights"], current["focal_labels"])
    parameters = {name: value for name, value in current.items() if name in given or value is not defaults[name]}
    attributes = {name: options.get(name, default) for name, default in PLUGIN_OPTIONS.items()}
    if (line_level := options.get("line_level")) is not None:
        message = 'SkolClassifierV2 renamed line_level=True to extraction_mode="line".'
        warnings.warn(message, FutureWarning, stacklevel=3)
        attributes |= {"extraction_mode": "line"} if line_level else {}
    return attributes, parameters


def asked_options(classifier: SkolClassifierV2, own: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Return the caller's options and parameters that a saved model must have been trained with."""
    changed = {name: value for name in SAVED if (value := getattr(classifier, name)) != own[name].default}
    return changed | {k: v for k, v in classifier.model_params.items() if k not in (*TUNABLE, "decision")}


def saved_options(state: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in a saved model; raise a DataError if the caller asked for another value."""
    saved = {name: value for name, value in state.get("classifier", {}).items() if name in SAVED}
    trained = {name: value for name, value in state["parameters"].items() if name != "frozen_weights"}
    for name, value in (saved_parameters(trained) | saved).items():
        if name in asked and asked[name] != value:
            trained_with = f"The saved model was trained with {name}={value!r}"
            raise DataError(f"{trained_with}, but {name} is {asked[name]!r}: leave it out, or train again.")
    return saved
