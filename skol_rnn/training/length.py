"""The length of training: a smallest number of updates, however few the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skol_rnn.training.settings import overlapping
from skol_rnn.windows import window_starts

SMALL_DATA: dict[str, dict[str, Any]] = {
    "line": {
        "window_size": 15,
        "stride": 5,
        "batch_size": 64,
        "epochs": 4,
        "learning_rate": 3e-3,
        "feature_dropout": 0.7,
    },
    "token": {},
}
"""By unit: defaults of parameters where the data are few."""

_MEMBERS_OF_FEW = 2  # of the preset "default": networks that few lines train vary more
_SMALL_BATCH = 16  # smaller ones take as long for each update
_SURPLUS = 1.15  # most updates, as a multiple of the smallest number, for the sake of a shorter stride
_LONG_WINDOWS_FROM = 5_000
"""Training lines from which prediction windows may be longer than those of training: on 2 to 8 documents they lose up to
0.013 important F1, on 16 (7,000 lines) they gain 0.010."""
_PATIENCE_SHARE = 0.5  # of min_updates: updates without a better score before training stops


def training_length(
    lengths: Sequence[int], settings: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """Choose stride, batch size and epochs so that training makes enough updates; return settings and a log line."""
    least = settings["min_updates"]
    of_few = {**settings, **_for_few(settings, given)}
    few = 0 < _updates(lengths, of_few) < least
    if few:
        settings = of_few
    before = _updates(lengths, settings)
    if not 0 < before < least:
        return dict(settings), None
    window, stride, batch_size, epochs = (settings[name] for name in ("window_size", "stride", "batch_size", "epochs"))

    def batches(stride: int, batch_size: int) -> int:
        return _updates(lengths, {"window_size": window, "stride": stride, "batch_size": batch_size, "epochs": 1})

    fixed_epochs = given.get("epochs") is not None
    if few or fixed_epochs:
        batch_size = min(batch_size, _SMALL_BATCH)
    if fixed_epochs:
        while stride > 1 and batches(stride, batch_size) * epochs < least:
            stride -= 1
        while batch_size > 1 and batches(stride, batch_size) * epochs < least:
            batch_size = max(batch_size * 2 // 3, 1)
    elif stride == window:
        epochs = -(-least // batches(stride, batch_size))
    else:
        # Epochs are whole: a short stride can cost many more updates than needed.
        updates = {step: _rounded_up(least, batches(step, batch_size)) for step in range(1, stride + 1)}
        stride = next(
            (step for step, n in updates.items() if n <= _SURPLUS * least), min(updates, key=updates.__getitem__)
        )
        epochs = updates[stride] // batches(stride, batch_size)
    each = batches(stride, batch_size)
    length = {"stride": stride, "batch_size": batch_size, "epochs": epochs}
    if given.get("patience") is None:
        length["patience"] = max(settings["patience"], -(-int(_PATIENCE_SHARE * least) // each))
    message = (
        f"{before} updates are too few: training uses stride {stride}, batches of {batch_size} windows, {epochs} epochs "
        f"({each * epochs:,} updates)."
    )
    return {**settings, **length}, message


def _updates(lengths: Sequence[int], settings: Mapping[str, Any]) -> int:
    windows = sum(len(window_starts(length, settings["window_size"], settings["stride"])) for length in lengths)
    return -(-windows // settings["batch_size"]) * settings["epochs"]


def _for_few(settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of parameters that are not given and have another default where the data are few."""
    chosen = {name: value for name, value in SMALL_DATA[settings["unit"]].items() if given.get(name) is None}
    if given.get("window_size") is not None or given.get("stride") is not None:
        chosen = {name: value for name, value in chosen.items() if name not in ("window_size", "stride")}
    if not settings["feature_dropout"]:
        chosen.pop("feature_dropout", None)
    if chosen and given.get("ensemble_size") is None and settings.get("preset") == "default":
        chosen["ensemble_size"] = _MEMBERS_OF_FEW
    return chosen


def prediction_windows(lengths: Sequence[int], settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which a network that few lines trained predicts in windows as long as those of training."""
    chosen = given.get("prediction_window_size") is not None or given.get("prediction_stride") is not None
    if chosen or settings["unit"] != "line" or sum(lengths) >= _LONG_WINDOWS_FROM:
        return dict(settings)
    window = settings["window_size"]
    return {**settings, "prediction_window_size": window, "prediction_stride": overlapping(window)}


def _rounded_up(least: int, each: int) -> int:
    """Return the smallest multiple of ``each`` that is at least ``least``."""
    return -(-least // each) * each
