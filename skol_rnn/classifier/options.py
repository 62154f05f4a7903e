"""The options of ``SkolClassifierV2``: their checks, plug-ins, former options, and the options in a saved model."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skol_rnn.classifier.segmentation import MODES
from skol_rnn.data.document import Document
from skol_rnn.errors import DataError
from skol_rnn.former import OPTIONS, refusal
from skol_rnn.labels import check_choice, suggestion
from skol_rnn.training.log import TrainingLog
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
_OF_CALLER = ("decision", "label_col", "line_no_col")  # how a caller decides, and names of columns in the caller's rows

COLUMNS = {"label_col": "label", "line_no_col": "line_number"}
"""Names of the columns of units, whatever the caller's are."""


@functools.cache
def say_model_type() -> None:
    """Say once in a process what a left-out ``model_type`` means."""
    TrainingLog().say('model_type is left out: SkolClassifierV2 trains the network, "rnn"; it used to be "logistic".')


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


def split_options(
    options: Mapping[str, Any], own: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keyword arguments into attributes of the classifier and model parameters under their current names.

    ``own`` are the arguments of the classifier itself, ``given`` the values that they have.
    """
    options, attributes = _without_model_params(options, own, given)
    known = (*PARAMETERS, *FORMER, *PLUGIN_OPTIONS, *WITHOUT_EFFECT, *IGNORED, "line_level", "tokenizer")
    _check_model_type(options.get("model_type", "rnn"))
    if refused := refusal(options, OPTIONS):
        raise TypeError(f"SkolClassifierV2 has no option {refused}.")
    for name in options:
        if name not in known:
            raise TypeError(f"SkolClassifierV2 has no option {name!r}.{suggestion(name, [*own, *known])}")
    without = [name for name, default in WITHOUT_EFFECT.items() if options.get(name, default) != default]
    for advice in dict.fromkeys(OPTIONS[name].advice for name in without):
        names = ", ".join(name for name in without if OPTIONS[name].advice == advice)
        warnings.warn(f"SkolClassifierV2 ignores {names}: {advice}.", FutureWarning, stacklevel=3)
    current = {name: value for name, value in options.items() if name in PARAMETERS}
    former = {name: value for name, value in options.items() if name in FORMER and name not in IGNORED}
    defaults = saved_parameters({})
    found = current_names(former, defaults | current, stacklevel=4)
    refuse_both(found["class_weights"], found["focal_labels"])
    parameters = {name: value for name, value in found.items() if name in current or value is not defaults[name]}
    attributes |= {name: options.get(name, default) for name, default in PLUGIN_OPTIONS.items()}
    return attributes | _extraction_mode(options, given["extraction_mode"]), parameters


def _without_model_params(
    options: Mapping[str, Any], own: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Merge ``model_params`` into the options; return them, and the arguments of the classifier that it sets."""
    options = dict(options)
    extra = options.pop("model_params", None) or {}
    if not isinstance(extra, Mapping):
        raise TypeError(f"model_params must be a dict of options, not {type(extra).__name__}.")
    attributes: dict[str, Any] = {}
    for name, value in extra.items():
        mine = name in own and own[name].kind is inspect.Parameter.KEYWORD_ONLY
        before = given[name] if mine else options.get(name, value)
        if before != value and not (mine and before == own[name].default):
            problem = f"{name} is {before!r} as an option, and {value!r} in model_params"
            raise ValueError(f"{problem}: give it once.")
        (attributes if mine else options)[name] = value
    return options, attributes


def _check_model_type(model_type: object) -> None:
    if model_type != "rnn":
        advice = 'leave it out, or write model_type="rnn"'
        raise ValueError(f'model_type is {model_type!r}, but skol_rnn has only the network, "rnn": {advice}.')


def _extraction_mode(options: Mapping[str, Any], now: str) -> dict[str, str]:
    """Return the extraction mode that former options ask for, with a FutureWarning for each."""
    asked = {}
    if (mode := options.get("tokenizer")) is not None:
        asked["tokenizer"] = mode
    if (line_level := options.get("line_level")) is not None:
        asked["line_level"] = "line" if line_level else now
    for name, mode in asked.items():
        warnings.warn(f"SkolClassifierV2 {OPTIONS[name].advice}.", FutureWarning, stacklevel=4)
        if mode != now and now != "paragraph":
            raise ValueError(f"{name}={options[name]!r} contradicts extraction_mode={now!r}: leave {name} out.")
        now = mode
    return {"extraction_mode": now} if asked else {}


def asked_options(classifier: SkolClassifierV2, own: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Return the caller's options and parameters that a saved model must have been trained with."""
    changed = {name: value for name in SAVED if (value := getattr(classifier, name)) != own[name].default}
    return changed | {k: v for k, v in classifier.model_params.items() if k not in (*TUNABLE, *_OF_CALLER)}


def saved_options(state: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in a saved model; raise a DataError if the caller asked for another value."""
    saved = {name: value for name, value in state.get("classifier", {}).items() if name in SAVED}
    trained = {name: value for name, value in state["parameters"].items() if name != "frozen_weights"}
    for name, value in (saved_parameters(trained) | saved).items():
        if name in asked and asked[name] != value:
            trained_with = f"The saved model was trained with {name}={value!r}"
            raise DataError(f"{trained_with}, but {name} is {asked[name]!r}: leave it out, or train again.")
    return saved
