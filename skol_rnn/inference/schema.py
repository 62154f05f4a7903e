"""What the ``model.json`` of a saved model may contain: a table of names, kinds and ranges.

A new value of a saved model is one entry of a table here, a new array one row in :mod:`skol_rnn.inference.array_schema`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from skol_rnn.decoding.purpose import check_decision
from skol_rnn.features.families import FAMILIES, TOKEN_FAMILIES
from skol_rnn.former import NETWORK_NAMES
from skol_rnn.labels import LabelSet, printable

Check = Callable[[Any], None]
Rule = Any
"""A check; a dict of rules by key ("key?" may be missing); or a list of one rule, for each item."""

_LARGEST_SEED = 1 << 63
_LARGEST = 1 << 20  # units, lines, columns: far more than fit a network that learns
_MOST_LSTMS = 200  # which Keras builds in some ten seconds
_WIDEST_OVERLAP = 1 << 12  # windows that a line is in


def refuse(where: str, reason: str) -> ValueError:
    """Return the error for a part of a model."""
    return ValueError(f"{where} {reason}")


def check_values(value: Any, rule: Rule, where: str) -> None:
    """Raise a ValueError that names the part that does not fit a rule."""
    if isinstance(rule, dict):
        if not isinstance(value, dict):
            raise refuse(where, "is no object")
        for key, part in rule.items():
            name = key.removesuffix("?")
            if name in value:
                check_values(value[name], part, f"{where}: {name}")
            elif name == key:
                raise refuse(where, f"lacks {name!r}")
    elif isinstance(rule, list):
        if not isinstance(value, list):
            raise refuse(where, "is no list")
        for item in value:
            check_values(item, rule[0], f"an item of {where}")
    else:
        try:
            rule(value)
        except ValueError as error:
            raise refuse(where, str(error)) from error


def text(value: Any) -> None:
    """Accept text."""
    if not isinstance(value, str):
        raise ValueError(f"is {_shown(value)}, not text")


def one_of(*allowed: str) -> Check:
    """Return a check for some texts."""

    def check(value: Any) -> None:
        if value not in allowed or not isinstance(value, str):
            raise ValueError(f"is {_shown(value)}, none of {', '.join(allowed)}")

    return check


def _decision(value: Any) -> None:
    """Accept what ``RNNSkolModel`` accepts as a decision."""
    try:
        check_decision(value)
    except ValueError:
        raise ValueError(f"is {_shown(value)}, no decision") from None


def whole(low: int, high: int) -> Check:
    """Return a check for integers in a range."""

    def check(value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"is {_shown(value)}, no integer from {low:,} to {high:,}")

    return check


def real(low: float = -math.inf, high: float = math.inf) -> Check:
    """Return a check for finite numbers in a range."""

    def check(value: Any) -> None:
        if type(value) not in (int, float) or not low <= value <= high or not abs(value) < math.inf:
            raise ValueError(f"is {_shown(value)}, no number from {low:g} to {high:g}")

    return check


def number(value: Any) -> None:
    """Accept any number, also NaN."""
    if type(value) not in (int, float):
        raise ValueError(f"is {_shown(value)}, no number")


def truth(value: Any) -> None:
    """Accept a truth value."""
    if not isinstance(value, bool):
        raise ValueError(f"is {_shown(value)}, not true or false")


@dataclass(frozen=True)
class Maybe:
    """A rule, or null."""

    rule: Rule

    def __call__(self, value: Any) -> None:  # noqa: D102
        if value is not None:
            check_values(value, self.rule, "a value")


@dataclass(frozen=True)
class Each:
    """A rule for each value of an object with any keys."""

    rule: Rule

    def __call__(self, value: Any) -> None:  # noqa: D102
        check_values(value, {}, "a value")
        for key, part in value.items():
            check_values(part, self.rule, f"with {_shown(key)}, which")


def labels(value: Any) -> None:
    """Accept distinct texts."""
    check_values(value, [text], "a list")
    if len(set(value)) < len(value):
        raise ValueError("has one label twice")
    LabelSet(tuple(value))


def _shown(value: Any) -> str:
    shown = repr(value) if isinstance(value, (str, int, float, type(None))) else type(value).__name__
    return printable(shown if len(shown) <= 60 else f"{shown[:60]}...")


PRETRAINED = "token-pretrained"
"""Name of the family with pretrained vectors in a saved model."""
_SIZE, _SHARE = whole(0, _LARGEST), real(0, 1)
NETWORK: dict[str, Rule] = {
    "n_labels": whole(1, _LARGEST),
    "numbers_size": _SIZE,
    "vocabulary_size": whole(0, 1 << 26),
    "slots": whole(0, 1 << 12),
    "input_size": _SIZE,
    "line_size": _SIZE,
    "hidden_size": whole(1, _LARGEST),
    "num_layers": whole(1, _MOST_LSTMS),
    "dropout": _SHARE,
    "feature_dropout": _SHARE,
    "seed": whole(0, _LARGEST_SEED),
    "ensemble_size?": whole(1, _MOST_LSTMS),
    "char_slots?": whole(0, 1 << 12),
    "alphabet_size?": _SIZE,
    "context_slots?": whole(0, 1 << 12),
    "context_vocabulary_size?": whole(0, 1 << 26),
    "linear_part?": truth,
}
_WINDOW = whole(1, _LARGEST)
PARAMETERS: dict[str, Rule] = {
    "unit?": one_of("line", "token"),
    "window_size": Maybe(_WINDOW),
    "prediction_window_size?": Maybe(_WINDOW),
    "prediction_stride": Maybe(_WINDOW),
    "prediction_batch_size": Maybe(_WINDOW),
    "decision": _decision,
    "line_no_col": text,
    "label_col?": text,
    "features_col?": text,
    "name?": text,
    "important?": Maybe([text]),
    "frozen_weights?": truth,
    "verbosity?": whole(-_LARGEST, _LARGEST),
}
_OF_WINDOWS = ("window_size", "prediction_batch_size")
_SCORE = Maybe(real(-1e9, 1e9))
_INTERVAL = Maybe([_SCORE])
CARD: dict[str, Rule] = {
    "date": text,
    "versions": Each(text),
    "documents": Each(text),
    "split": {"how": text, "training": [text], "validation": [text], "refit": truth},
    "counts": Each(whole(0, _LARGEST_SEED)),
    "weights": Each(real(0)),
    "settings": {},
    "adapted?": [{"lines": whole(0, _LARGEST_SEED), "documents": whole(0, _LARGEST_SEED)}],
    "decision": text,
    "calibration": {"temperature": real(0), "bias": Each(real())},
    "scores": Maybe(
        {
            "important_f1": _SCORE,
            "macro_f1": _SCORE,
            "labels": Each(
                {
                    "precision": _SCORE,
                    "recall": _SCORE,
                    "f1": _SCORE,
                    "loss": Maybe(real()),
                    "support": whole(0, _LARGEST_SEED),
                }
            ),
        }
    ),
}
STATE: dict[str, Rule] = {
    "labels": labels,
    "features": {"name": one_of(*FAMILIES, *TOKEN_FAMILIES.values(), PRETRAINED), "settings": {}},
    "network": Maybe(NETWORK),
    "name": text,
    "parameters": PARAMETERS,
    "not_given?": [text],
    "class_weights": {"labels": [text], "weights": Each(real(0)), "counts": Each(whole(0, _LARGEST_SEED))},
    "diagnosis": [{"name": text, "seen": text, "means": text, "change": text}],
    "other": Maybe(text),
    "history": Each([number]),
    "validation_documents": [text],
    "skol_rnn_version": text,
    "card?": CARD,
    "classifier?": {"label_frequencies?": Maybe(Each(whole(0, _LARGEST_SEED)))},
}


def checked_network(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Check a ``model.json``, and return the numbers of its network, if it has one, in their present names."""
    former = state.get("network")
    renamed: Any = former
    if isinstance(former, dict):
        renamed = {NETWORK_NAMES.get(name, name): value for name, value in former.items()}
    check_values({**state, "network": renamed}, STATE, "model.json")
    if renamed is None:
        return None
    check_values(state["parameters"], dict.fromkeys(_OF_WINDOWS, _WINDOW), "model.json: parameters")
    absent = dict.fromkeys((name.removesuffix("?") for name in NETWORK), 0) | {"ensemble_size": 1, "linear_part": True}
    network: dict[str, Any] = absent | renamed
    if unknown := sorted(set(renamed) - {name.removesuffix("?") for name in NETWORK}):
        raise refuse("model.json: network", f"has {_shown(unknown[0])}, which no network has")
    if network["n_labels"] != len(state["labels"]):
        raise refuse("model.json", f"has {len(state['labels'])} labels for a network of {network['n_labels']:,}")
    if network["ensemble_size"] * network["num_layers"] > _MOST_LSTMS:
        raise refuse("model.json: network", f"has more than {_MOST_LSTMS} layers")
    parameters = state["parameters"]
    size = parameters.get("prediction_window_size") or parameters["window_size"]
    if size > _WIDEST_OVERLAP * (parameters["prediction_stride"] or size):
        raise refuse("model.json: parameters", f"put a line into more than {_WIDEST_OVERLAP} windows")
    return network
