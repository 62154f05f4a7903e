"""How far the data travel: modules entered in ``fit`` and ``predict``, and own calls on the way to Keras.

Each function of the package counts at its first call, so that loops count once.  A stop is a run of such functions in one
module; a return is a stop in a module that was left before.

    python benchmarks/flow.py
"""

from __future__ import annotations

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import pandas as pd

import skol_rnn
from skol_rnn import RNNSkolModel

PACKAGE = os.path.dirname(skol_rnn.__file__)


class Walk:
    """Records the functions of the package in the order of their first calls."""

    def __init__(self):
        self.seen, self.modules = set(), []

    def __call__(self, frame, event, argument):
        """Note a call; a profile function of ``sys.setprofile``."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and not code.co_name.startswith("<"):
            if code not in self.seen:
                self.seen.add(code)
                self.modules.append(code.co_filename[len(PACKAGE) + 1 :])

    def stops_and_returns(self):
        """Count stops and returns."""
        stops = [m for i, m in enumerate(self.modules) if i == 0 or m != self.modules[i - 1]]
        return len(stops), len(stops) - len(set(stops))


def own_calls_above():
    """Count the package's frames on the stack."""
    frame, count = sys._getframe(2), 0
    while frame:
        count += frame.f_code.co_filename.startswith(PACKAGE)
        frame = frame.f_back
    return count


def recording(function, calls):
    """Wrap a method of Keras to record the own calls above it."""

    def wrapped(*args, **kwargs):
        calls.append(own_calls_above())
        return function(*args, **kwargs)

    return wrapped


def sample(documents=8, lines=60):
    """Make a table whose labels follow from the words."""
    kinds = ["Misc", "Misc", "Nomenclature", "Description"]
    words = {"Misc": "the authors thank", "Nomenclature": "Genus species", "Description": "pileus brown"}
    rows = [
        (f"d{d}", i, f"{words[kinds[i % 4]]} {i % 7}", kinds[i % 4]) for d in range(documents) for i in range(lines)
    ]
    return pd.DataFrame(rows, columns=["doc_id", "line_number", "value", "label"])


def main():
    """Walk through one training and one prediction, and print the figures."""
    fits, predictions = [], []
    keras.Model.fit = recording(keras.Model.fit, fits)
    keras.Model.predict_on_batch = recording(keras.Model.predict_on_batch, predictions)
    table = sample()
    model = RNNSkolModel(
        hidden_size=4, input_size=8, epochs=1, min_updates=0, validation_fraction=0.2, preset="fast", verbosity=0
    )
    for name, call, calls in (("fit", model.fit, fits), ("predict", model.predict, predictions)):
        calls.clear()
        walk = Walk()
        sys.setprofile(walk)
        call(table)
        sys.setprofile(None)
        stops, returns = walk.stops_and_returns()
        print(
            f"{name}: {stops} stops, {returns} returns, {len(walk.seen)} functions; "
            f"{min(calls) - 1} own calls between {name} and Keras"
        )


if __name__ == "__main__":
    main()
