"""What the arrays of a saved model may be: a table of names, types, shapes and ranges, and how they fit its network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.decoding.held_out import SAVED as HELD_OUT
from skol_rnn.errors import BundleError, SkolError
from skol_rnn.features.families import TOKEN_FAMILIES
from skol_rnn.inference.linear_member import SIDES
from skol_rnn.inference.onnx_check import check_graph
from skol_rnn.inference.schema import PRETRAINED, check_values, checked_network, one_of, refuse, text, whole
from skol_rnn.inference.second_pass import MOST_LEAVES, columns_of
from skol_rnn.labels import NO_LABEL, printable
from skol_rnn.persistence.bundle import Bundle

_INF = math.inf
_BUCKETS = 1 << 24


class Array(NamedTuple):
    """A row of the table.  Axes are numbers or names; a name is that of the network, or what its first array has."""

    name: str
    kinds: str  # of the NumPy type: f, iu, b
    shape: tuple[int | str, ...]
    low: float = -_INF
    high: float = _INF
    optional: bool = False
    ascending: bool = False
    infinite: int = 0  # -1 or 1: whether minus or plus infinity is allowed


DECISION = (
    Array("weights", "f", ("n_labels",), low=0),
    Array("counts", "iu", ("n_labels",), low=0),
    Array("tilt", "f", ("n_labels",), low=0),
    Array("margins", "f", ("n_labels",), optional=True),
    Array("focus_smoothing_temperature", "f", (3,), low=0),
    Array("bias", "f", ("n_labels",)),
    Array("offsets", "f", ("n_labels",)),
    Array("start", "f", ("n_labels",), infinite=-1),
    Array("step", "f", ("n_labels", "n_labels"), infinite=-1),
    Array("prior", "f", ("n_labels",), low=0, high=1),
    Array("strength", "f", (), low=0),
    Array("tuned", "b", (), optional=True),
    Array("held_out/posterior", "f", ("held_out_lines", "n_labels"), 0, 1, optional=True),
    Array("held_out/true", "iu", ("held_out_lines",), NO_LABEL, optional=True),
    Array("held_out/lengths", "iu", ("held_out_documents",), 1, optional=True),
)
_SCALES = (Array("mean", "f", ("layout",)), Array("scale", "f", ("layout",), low=1e-9))
_LINEAR = (
    Array("linear/words", "f", ("bag", "sides", "n_labels"), optional=True),
    Array("linear/numbers", "f", ("numbers_size", "n_labels"), optional=True),
    Array("linear/bias", "f", ("n_labels",), optional=True),
    Array("linear/share", "f", (), low=0, high=1, optional=True),
    Array("linear/shift", "f", ("n_labels",), optional=True),
)
_CHAIN = (Array("linear/transitions", "f", ("transitions", "n_labels"), optional=True),)
_SECOND = (
    Array("second/column", "iu", ("trees", "nodes"), 0, optional=True),
    Array("second/threshold", "f", ("trees", "nodes"), infinite=1, optional=True),
    Array("second/kept", "iu", ("trees", "nodes"), 0, optional=True),
    Array("second/leaf", "f", ("trees", "leaves"), optional=True),
    Array("second/label", "iu", ("trees",), 0, optional=True),
    Array("second/baseline", "f", ("n_labels",), optional=True),
    Array("second/reference", "iu", (), 0, optional=True),
)
_MEMBERS = (*_LINEAR, *_CHAIN, *_SECOND)  # of all families
_BUCKET_ARRAY = Array("buckets", "iu", ("buckets",), 0, _BUCKETS, ascending=True)
_VECTORS = (
    Array("vectors", "f", ("words", "size"), optional=True),
    Array("ngram_vectors", "f", ("ngrams", "size"), optional=True),
)
_PHRASES = ("word", "beginning", "word before", "word after", "two words", "three words")
_RATES = (
    Array("rates/prior", "f", ("types",), low=0, optional=True),
    Array("rates/mean", "f", ("rates",), optional=True),
    Array("rates/scale", "f", ("rates",), low=1e-9, optional=True),
    *(Array(f"rates/keys/{name}", "iu", (name,), 0, ascending=True, optional=True) for name in _PHRASES),
    *(Array(f"rates/counts/{name}", "iu", (name, "types"), 0, optional=True) for name in _PHRASES),
)
_TOKENS = (
    *_SCALES,
    _BUCKET_ARRAY,
    Array("beside_buckets", "iu", ("context_buckets",), 0, _BUCKETS, ascending=True),
    *_RATES,
)
FEATURES: dict[str, tuple[Array, ...]] = {
    "hashed": (*_SCALES, _BUCKET_ARRAY),
    "tfidf": (
        *_SCALES,
        Array("word_idf", "f", ("words",)),
        Array("suffix_idf", "f", ("suffixes",)),
        Array("projection", "f", ("terms", "size"), optional=True),
    ),
    "word2vec": (*_SCALES, *_VECTORS),
    "fasttext": (*_SCALES, *_VECTORS),
    "doc2vec": (*_SCALES, Array("weights", "f", ("words", "size")), Array("noise", "iu", ("noise",), 0)),
    "vectors": (),
    **{name: _TOKENS for name in TOKEN_FAMILIES.values() if name != "vectors"},
}
FEATURES |= {
    name: (*_VECTORS, *(row._replace(name=f"hashed/{row.name}") for row in _TOKENS))
    for name in ("token-word2vec", "token-fasttext")
}
PRETRAINED_ARRAYS = (
    Array("part0/table", "f", ("pieces", "static")),
    Array("part0/deviation", "f", ("static",), low=1e-9),
    Array("part0/tokenizer", "iu", ("bytes",), 0, 255),
    Array("part1/mean", "f", ("states",), optional=True),
    Array("part1/scale", "f", ("states",), low=1e-9, optional=True),
)
_NEEDED_BY = {"word2vec": ("vectors",), "fasttext": ("vectors", "ngram_vectors")}
_WHOLE = whole(0, 1 << 31)
_EMBEDDING, _FILTERS, _WIDTH = 16, 32, 3  # of the convolution over characters


def check_model(bundle: Bundle) -> None:
    """Raise a BundleError that names the part of a saved model that does not fit."""
    try:
        network = checked_network(bundle.state)
        sizes = dict(network or {"n_labels": len(bundle.state["labels"])})
        _check_network(bundle.network, network)
        _check_arrays(bundle.decision, DECISION, sizes, "decision.npz")
        _check_decision(bundle.decision)
        _check_arrays(bundle.features, _MEMBERS, sizes, "features.npz")
        _check_members(bundle.features, sizes)
        if network is None:
            sizes = _sizes_without_network(bundle, sizes)
        features = bundle.state["features"]
        _check_features(features["name"], features["settings"], bundle.features, sizes)
        for graph in (bundle.graph, bundle.int8_graph):  # also the one that is not run here
            if graph is not None:
                check_graph(graph, bundle.network)
    except BundleError:
        raise
    except ValueError as error:
        raise BundleError(
            f"The saved model does not fit together: {printable(str(error))}. Copy it again, or save it again."
        ) from error


@contextmanager
def rebuilding() -> Iterator[None]:
    """Turn what a foreign model raises, which may be any error, into a BundleError."""
    try:
        yield
    except (SkolError, ImportError):
        raise
    except Exception as error:
        reason = printable(" ".join(f"{type(error).__name__}: {error}".split()))
        raise BundleError(f"The saved model cannot be rebuilt ({reason:.300}): save it again.") from error


def _check_decision(arrays: Mapping[str, np.ndarray]) -> None:
    _, smoothing, temperature = arrays["focus_smoothing_temperature"].tolist()
    if smoothing >= 1 or not temperature > 0:
        raise refuse("decision.npz", f"has a label smoothing of {smoothing:g} and a temperature of {temperature:g}")
    if not (arrays["prior"] > 0).all():
        raise refuse("decision.npz: 'prior'", "has a share that is not positive")
    held = [name for name in arrays if name.startswith("held_out/")]
    if held and len(held) != len(HELD_OUT):
        raise refuse("decision.npz", f"lacks {next(name for name in HELD_OUT if name not in held)!r}")
    if held and arrays["held_out/lengths"].sum() != len(arrays["held_out/true"]):
        raise refuse("decision.npz: 'held_out/lengths'", "has another sum than there are lines")
    if held and arrays["held_out/true"].max(initial=0) >= len(arrays["prior"]):
        raise refuse("decision.npz: 'held_out/true'", "has labels that there are not")


def _check_members(arrays: Mapping[str, np.ndarray], sizes: Mapping[str, Any]) -> None:
    """Check the linear model and the second pass; each has all of its arrays or none."""
    for rows in (_LINEAR, _SECOND):
        missing = [row.name for row in rows if row.name not in arrays]
        if len(missing) not in (0, len(rows)):
            raise refuse("features.npz", f"lacks {missing[0]!r}")
    if _LINEAR[0].name in arrays and sizes["sides"] not in (1, SIDES):
        raise refuse("features.npz: 'linear/words'", f"has words of {sizes['sides']} sides")
    if sizes.get("transitions", sizes["n_labels"] + 1) != sizes["n_labels"] + 1:
        raise refuse(f"features.npz: {_CHAIN[0].name!r}", f"has {sizes['transitions']:,} rows")
    if _SECOND[0].name in arrays:
        n_labels, leaves = sizes["n_labels"], sizes["leaves"]
        limits = {"column": columns_of(n_labels), "label": n_labels, "reference": n_labels, "kept": 1 << MOST_LEAVES}
        if not 0 < leaves <= MOST_LEAVES or sizes["nodes"] != leaves - 1:
            raise refuse("features.npz: 'second/leaf'", f"has trees of {leaves} leaves")
        for name, limit in limits.items():
            if arrays[f"second/{name}"].max(initial=0) >= limit:
                raise refuse(f"features.npz: 'second/{name}'", f"has numbers of {limit:,} or more")


def _sizes_without_network(bundle: Bundle, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network would have, of a model without one."""
    if bundle.graph is not None or bundle.int8_graph is not None or _LINEAR[0].name not in bundle.features:
        raise refuse("model.json", "has no network, but the model has a graph or no linear part")
    settings = bundle.state["features"]["settings"]
    slots = settings.get("slots", 0) if isinstance(settings.get("slots", 0), int) else -1
    own, context = (
        len(bundle.features[name]) + 1 if name in bundle.features and bundle.features[name].ndim else 0
        for name in ("buckets", "beside_buckets")
    )
    found = {"vocabulary_size": own, "context_vocabulary_size": context, "slots": slots}
    return {**sizes, **found, "char_slots": None, "alphabet_size": None}


def _check_arrays(arrays: Mapping[str, np.ndarray], rows: tuple[Array, ...], sizes: dict[str, Any], part: str) -> None:
    """Check arrays by the table; sizes of axes that are not known are learned."""
    for row in rows:
        where = f"{part}: {row.name!r}"
        if row.name not in arrays:
            if row.optional:
                continue
            raise refuse(part, f"lacks {row.name!r}")
        array = arrays[row.name]
        if array.dtype.kind not in row.kinds or array.dtype.itemsize > 8:
            raise refuse(where, f"is of type {array.dtype}")
        expected = tuple(
            axis if isinstance(axis, int) else sizes.setdefault(axis, array.shape[i] if i < array.ndim else 0)
            for i, axis in enumerate(row.shape)
        )
        if array.shape != expected:
            raise refuse(where, f"is of shape {array.shape}, not {expected}")
        _check_range(array, row, where)
    for name, array in arrays.items():  # also those of later versions, which are not read
        if array.dtype.kind not in "fiub":
            raise refuse(f"{part}: {name!r}", f"is of type {array.dtype}")


def _check_range(array: np.ndarray, row: Array, where: str) -> None:
    if array.dtype.kind == "f":
        usable = np.isfinite(array) | (array == row.infinite * _INF if row.infinite else False)
        if not usable.all():
            raise refuse(where, "has numbers that are not finite")
    if array.size and array.dtype.kind != "b" and (array.min() < row.low or array.max() > row.high):
        raise refuse(where, f"has numbers that are not from {row.low:g} to {row.high:g}")
    if row.ascending and (array[1:] <= array[:-1]).any():
        raise refuse(where, "is not in ascending order")


def _check_network(arrays: Mapping[str, np.ndarray], network: Mapping[str, Any] | None) -> None:
    """Check that a network of these numbers has as many parameters as were saved, before it is built."""
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise refuse(f"network.npz: {name!r}", f"is of type {array.dtype} or has numbers that are not finite")
    expected, found = _parameters(**network) if network else 0, sum(array.size for array in arrays.values())
    if expected != found:
        raise refuse("network.npz", f"has {found:,} numbers, but the network of model.json has {expected:,}")


def _parameters(
    *,
    n_labels: int,
    numbers_size: int,
    vocabulary_size: int,
    input_size: int,
    line_size: int,
    hidden_size: int,
    num_layers: int,
    ensemble_size: int,
    char_slots: int,
    alphabet_size: int,
    context_slots: int,
    context_vocabulary_size: int,
    linear_part: bool,
    **others: Any,
) -> int:
    """Count the parameters of a network."""
    member, width = 0, numbers_size
    if vocabulary_size:
        member, width = vocabulary_size * input_size, width + input_size
        if char_slots:
            member += alphabet_size * _EMBEDDING + (_WIDTH * _EMBEDDING + 1) * _FILTERS
            width += _FILTERS
    if line_size:
        member, width = member + (width + 1) * line_size, line_size
    for _ in range(num_layers):
        member, width = member + 8 * hidden_size * (width + hidden_size + 1), 2 * hidden_size
    member += (width + 1) * n_labels
    linear = (vocabulary_size + context_vocabulary_size) * input_size + (2 * input_size + numbers_size + 1) * n_labels
    return ensemble_size * member + (linear if context_slots and linear_part else 0)


def _check_features(
    name: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], sizes: dict[str, Any], more: int = 0
) -> None:
    """Check a feature family, and that it gives what the network takes; ``more`` are numbers in addition to its own."""
    if name == PRETRAINED:
        _check_pretrained(settings, arrays, sizes)
        return
    sizes |= {"buckets": sizes["vocabulary_size"] - 1, "context_buckets": sizes["context_vocabulary_size"] - 1}
    hashed = settings.get("hashed", settings)
    where = "model.json: features: settings"
    check_values(hashed, {"slots?": whole(sizes["slots"], sizes["slots"])}, where)
    for key, value in settings.items():
        if type(value) is int:
            check_values(value, _WHOLE, f"{where}: {key}")
    for key, axis in {"vocabulary": "words", "words": "words", "suffixes": "suffixes"}.items():
        if key in settings:
            check_values(settings[key], [text], f"{where}: {key}")
            sizes[axis] = len(settings[key])
    if name == "tfidf":
        sizes["terms"] = sizes.get("words", 0) + sizes.get("suffixes", 0)
    if "rates" in hashed:
        check_values(hashed["rates"], {"kinds": [text]}, f"{where}: rates")
        sizes["types"] = len(hashed["rates"]["kinds"])
    _check_arrays(arrays, FEATURES[name], sizes, "features.npz")
    _check_together(name, settings, arrays, sizes)
    numbers = _numbers_of(name, settings, arrays, sizes) + more
    if numbers != sizes["numbers_size"]:
        raise refuse("features.npz", f"gives {numbers:,} numbers a line where {sizes['numbers_size']:,} are taken")


def _check_together(
    name: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], sizes: Mapping[str, Any]
) -> None:
    """Check what depends on several parts."""
    hashed = settings.get("hashed", settings)
    prefix = "hashed/" if f"hashed/{_BUCKET_ARRAY.name}" in arrays else ""
    missing = [one for one in _NEEDED_BY.get(name.removeprefix("token-"), ()) if one not in arrays]
    missing += [prefix + row.name for row in _RATES if "rates" in hashed and prefix + row.name not in arrays]
    if missing:
        raise refuse("features.npz", f"lacks {missing[0]!r}")
    if name == "doc2vec" and arrays["noise"].size and arrays["noise"].max() >= max(sizes["words"], 1):
        raise refuse("features.npz: 'noise'", "has numbers of words that there are not")
    bag = sizes["vocabulary_size"] + max(sizes["context_vocabulary_size"] - 1, 0)
    if sizes.get("bag", bag) < bag:
        raise refuse("features.npz: 'linear/words'", f"has {sizes['bag']:,} rows for a vocabulary of {bag:,}")
    if "alphabet" in settings and sizes["char_slots"] is not None:
        rule = {"alphabet": text, "characters": whole(sizes["char_slots"], sizes["char_slots"])}
        check_values(settings, rule, "model.json: features: settings")
        if len(settings["alphabet"]) + 2 != sizes["alphabet_size"]:
            raise refuse("model.json: features", "has another alphabet than the network")


def _numbers_of(
    name: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], sizes: Mapping[str, Any]
) -> int:
    """Return how many numbers a family gives for each line."""
    numbers: int = sizes.get("layout", 0) + sizes.get("rates", 0)
    if name == "tfidf":
        return numbers + (sizes["size"] if "projection" in arrays else sizes["terms"])
    if name == "vectors":
        check_values(settings, {"size": _WHOLE}, "model.json: features: settings")
        return numbers + int(settings["size"])
    return numbers + int(sizes.get("size", 0))


def _check_pretrained(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], sizes: dict[str, Any]) -> None:
    """Check static vectors, states of a transformer, and the family that they add to."""
    families = one_of(*(name for name in FEATURES if name.startswith("token-")))
    part = {"folder": text, "sha256": text}
    rule = {"family": families, "base": {}, "part0": part, "part1?": {**part, "layers": [whole(0, 1000)]}}
    check_values(settings, rule, "model.json: features: settings")
    _check_arrays(arrays, PRETRAINED_ARRAYS, sizes, "features.npz")
    if "part1" in settings and "states" not in sizes:
        raise refuse("features.npz", "lacks 'part1/mean'")
    base = {name.removeprefix("base/"): array for name, array in arrays.items() if name.startswith("base/")}
    if sizes["vocabulary_size"] == 0 and "buckets" in base:  # without a network
        sizes |= {"vocabulary_size": len(base["buckets"]) + 1, "slots": settings["base"].get("slots", 0)}
        sizes |= {"context_vocabulary_size": len(base.get("beside_buckets", ())) + 1}
    _check_features(settings["family"], settings["base"], base, sizes, sizes["static"] + sizes.get("states", 0))
