"""The JSON form of frozen class weights: what it must hold, and the checksums that tell an edit by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

FORMAT = "skol_rnn class weights"
FORMAT_VERSION = 1
REMEDY = "freeze the weights anew (skol-rnn weights PATHS --save FILE), or give your own as a dict of weights by label."

_OPTION = (float, int, type(None))
_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "labels": list,
    "weights": dict,
    "counts": dict,
    "strategy": str,
    "alpha": _OPTION,
    "beta": _OPTION,
    "max_ratio": _OPTION,
    "counts_sha256": str,
    "weights_sha256": str,
    "versions": dict,
}
_KINDS = {list: "a list", dict: "an object", str: "text", _OPTION: "a number or null"}


def read_form(values: Any, name: str) -> dict[str, Any]:
    """Take apart frozen weights of a form that this release knows."""
    _check_form(values, name)
    labels, versions = values["labels"], values["versions"]
    if wrong := [label for label in labels if not isinstance(label, str)]:
        raise DataError(f"{name}: a label must be text, not {wrong[0]!r}.")
    return {
        "labels": tuple(labels),
        **{what: _in_order(values[what], labels, f"{name}: {what!r}") for what in ("weights", "counts")},
        **{key: values[key] for key in ("strategy", "alpha", "beta", "max_ratio")},
        **{f"{library}_version": str(versions.get(library, "unknown")) for library in ("skol_rnn", "numpy")},
    }


def check_sums(values: Mapping[str, Any], found: Mapping[str, str], name: str) -> None:
    """Check that nobody has changed the values since they were written."""
    for what, checksum_now in found.items():
        if values[f"{what}_sha256"] != checksum_now:
            raise DataError(f"{name} was edited by hand: its {what} do not match its checksum; {REMEDY}")


def checksum(value: Any) -> str:
    """Return the SHA-256 of a value as canonical JSON: no spaces, ASCII, keys in their order."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of a JSON text, and refuse a key that stands in it twice; for ``json.loads``."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} is given twice")
        found[key] = value
    return found


def _check_form(values: Any, name: str) -> None:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DataError(f"{name} holds no frozen class weights (its format is not {FORMAT!r}).")
    version = values.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DataError(f"{name}: 'format_version' must be a whole number from 1, not {version!r}.")
    if version > FORMAT_VERSION:
        raise DataError(f"{name} has format version {version}; this skol_rnn reads up to {FORMAT_VERSION}: update it.")
    for key, kind in _KEYS.items():
        if key not in values:
            raise DataError(f"{name} lacks {key!r}; {REMEDY}")
        if not isinstance(values[key], kind) or isinstance(values[key], bool):
            raise DataError(f"{name}: {key!r} must be {_KINDS[kind]}, not {values[key]!r}.")


def _in_order(values: Mapping[str, Any], labels: Sequence[str], what: str) -> tuple[Any, ...]:
    for name in values:
        if name not in labels:
            raise DataError(f"{what} holds {name!r}, which is not among its labels.{suggestion(name, labels)}")
    for name in labels:
        if name not in values:
            raise DataError(f"{what} lacks the label {name!r}.")
    return tuple(values[name] for name in labels)
