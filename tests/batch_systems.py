"""Systems for the tests of batches; in a module of their own, because worker processes import them."""

from __future__ import annotations

import os
import signal
import time

import numpy as np


class Noisy:
    """Learn the label of each first word, and confuse some rows at random."""

    def __init__(self, noise=0.1, seconds=0.0):
        self.noise, self.seconds = noise, seconds

    def fit(self, table, labels, seed):
        assert "order" not in table and set(table["label"]) <= set(labels)
        time.sleep(self.seconds)
        self.labels, self.seed = labels, seed
        self.known = dict(zip(table["value"].str.split().str[0], labels.encode(table["label"]), strict=True))

    def predict_proba(self, table):
        assert "label" not in table
        best = table["value"].str.split().str[0].map(self.known).fillna(0).to_numpy(dtype=int)
        rng = np.random.default_rng(self.seed)
        wrong = rng.random(len(best)) < self.noise
        best[wrong] = rng.integers(0, len(self.labels), wrong.sum())
        return 0.1 / len(self.labels) + 0.9 * np.eye(len(self.labels))[best]


class Named:
    """Predict names of labels; the seed has no effect."""

    seeded = False

    def fit(self, table, labels, seed):
        self.name = table["label"].mode()[0]

    def predict(self, table):
        return [self.name] * len(table)

    def size(self):
        return 8


class Failing:
    """Raise an error in training."""

    def fit(self, table, labels, seed):
        raise RuntimeError("no [red]luck[/] \x1b[31m<script>")

    def predict(self, table):
        raise AssertionError


class Dying(Failing):
    """Kill the process in training, as a system without memory does."""

    def fit(self, table, labels, seed):
        os.kill(os.getpid(), signal.SIGKILL)
