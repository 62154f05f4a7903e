"""The caller's callbacks: objects of Keras, and functions of an epoch's number and scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from skol_rnn.evaluation.result import Evaluation

if TYPE_CHECKING:
    import keras

EpochCallback = Callable[[int, Evaluation], None]

_REFUSED = {
    "LearningRateScheduler": "the learning rate follows a cosine decay: set learning_rate",
    "ReduceLROnPlateau": "the learning rate follows a cosine decay: set learning_rate",
    "BackupAndRestore": "fit(checkpoint=...) continues an interrupted training",
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
        # Without Keras there are no objects of its classes.
        keras = sys.modules.get("keras")
        kinds: tuple[type, ...] = () if keras is None else (keras.callbacks.Callback,)
        for number, item in enumerate(given):
            if isinstance(item, type) or not (callable(item) or isinstance(item, kinds)):
                what = f"the class {item.__name__}" if isinstance(item, type) else f"of type {type(item).__name__}"
                raise TypeError(
                    f"callbacks[{number}] is {what}; give objects of keras.callbacks, or functions of an epoch's number "
                    "and its Evaluation."
                )
            for name, instead in _REFUSED.items():
                if keras is not None and isinstance(item, getattr(keras.callbacks, name)):
                    raise ValueError(f"{name} has no place in callbacks; {instead}.")
        functions = tuple(item for item in given if not isinstance(item, kinds))
        of_keras = tuple(item for item in given if isinstance(item, kinds))
        return cls(of_keras, functions if callback is None else (callback, *functions))
