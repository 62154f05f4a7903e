"""Quality and speed of one training under one backend of Keras; prints a row of the table in docs/backends.md.

    KERAS_BACKEND=torch python benchmarks/backends.py --train skol/train --dev skol/dev

Seconds are those of all cores together, so that other programs on the machine hardly change them.
"""

from __future__ import annotations

import argparse
import time
from importlib.metadata import version

import keras
import numpy as np

from skol_rnn import RNNSkolModel


class Clock(keras.callbacks.Callback):
    """Seconds of each step of training."""

    def __init__(self):
        super().__init__()
        self.cpu, self.wall = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.began = time.process_time(), time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.cpu.append(time.process_time() - self.began[0])
        self.wall.append(time.perf_counter() - self.began[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--dev", nargs="+", required=True)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="passes over the training windows; the preset's if not given")
    given = parser.parse_args()
    backend = keras.config.backend()
    for seed in range(given.seeds):
        clock, began = Clock(), (time.process_time(), time.perf_counter())
        labels = {"labels": ["Nomenclature", "Description"], "other": "Misc"}
        model = RNNSkolModel(preset=given.preset, random_state=seed, epochs=given.epochs)
        model.fit(given.train, **labels, callbacks=[clock])
        cpu, wall = time.process_time() - began[0], time.perf_counter() - began[1]
        f1 = model.evaluate(given.dev).important_f1
        print(
            f"| {backend} {version(backend)} | {seed} | {len(clock.cpu)} | {np.median(clock.cpu):.3f} | "
            f"{np.median(clock.wall):.3f} | {cpu:.0f} | {wall:.0f} | {f1:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
