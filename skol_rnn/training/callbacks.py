"""The caller's callbacks: objects of Keras, and functions of an epoch's number and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import keras

from skol_rnn.evaluation.result import Evaluation

EpochCallback = Callable[[int, Evaluation], None]

_REFUSED = {
    keras.callbacks.LearningRateScheduler: "the learning rate follows a cosine decay: set learning_rate",
    keras.callbacks.ReduceLROnPlateau: "the learning rate follows a cosine decay: set learning_rate",
    keras.callbacks.BackupAndRestore: "fit(checkpoint=...) continues an interrupted training",
}
"""Callbacks that could not do their work, and what does it; they would fail after epochs of training."""


@dataclass
class Callbacks:
    """Checked callbacks, and whether one of them stopped the training."""

    of_keras: tuple[keras.callbacks.Callback, ...] = ()
    functions: tuple[EpochCallback, ...] = ()
    stopped: bool = False

    @classmethod
    def of(cls, callbacks: Any, callback: EpochCallback | None = None) -> Self:
        """Sort callbacks by kind; one callback needs no list."""
        given = list(callbacks) if isinstance(callbacks, Iterable) else [] if callbacks is None else [callbacks]
        for number, item in enumerate(given):
            if isinstance(item, type) or not (callable(item) or isinstance(item, keras.callbacks.Callback)):
                what = f"the class {item.__name__}" if isinstance(item, type) else f"of type {type(item).__name__}"
                raise TypeError(
                    f"callbacks[{number}] is {what}; give objects of keras.callbacks, or functions of an epoch's number "
                    "and its Evaluation."
                )
            for kind, instead in _REFUSED.items():
                if isinstance(item, kind):
                    raise ValueError(f"{kind.__name__} has no place in callbacks; {instead}.")
        functions = tuple(item for item in given if not isinstance(item, keras.callbacks.Callback))
        of_keras = tuple(item for item in given if isinstance(item, keras.callbacks.Callback))
        return cls(of_keras, functions if callback is None else (callback, *functions))
