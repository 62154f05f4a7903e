"""Tiny documents and models that all tests share."""

from __future__ import annotations

import numpy as np
import pandas as pd

LABELS = ["Nomenclature", "Description", "Misc"]
SMALL = {
    "input_size": 8,
    "hidden_size": 6,
    "line_size": 8,
    "num_layers": 1,
    "members": 1,
    "batch_size": 8,
    "verbosity": 0,
}


def toy_table(documents=6, lines=40, seed=0):
    """Make documents whose labels the words nearly give away; every fourth treatment opens with a name."""
    rng = np.random.default_rng(seed)
    rows = []
    for d in range(documents):
        label, left = "Misc", 0
        for i in range(lines):
            if left == 0:
                label = {"Misc": "Nomenclature", "Nomenclature": "Description", "Description": "Misc"}[label]
                left = {"Misc": 5, "Nomenclature": 1, "Description": 3}[label]
            left -= 1
            words = {
                "Misc": "the authors thank their friends for help",
                "Nomenclature": f"Genus{rng.integers(9)} species{rng.integers(9)} Author 18{rng.integers(10, 99)}",
                "Description": f"pileus {rng.integers(9)} mm broad, spores smooth, {rng.integers(9)} wide",
            }
            rows.append((f"doc{d}", i, words[label], label))
    return pd.DataFrame(rows, columns=["doc_id", "line_number", "value", "label"])


def as_documents(table):
    """Return the table as lists of lines and lists of labels."""
    groups = [part for _, part in table.groupby("doc_id", sort=False)]
    return [part["value"].tolist() for part in groups], [part["label"].tolist() for part in groups]
