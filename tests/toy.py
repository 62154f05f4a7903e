"""Tiny documents and models that all tests share."""

from __future__ import annotations

import numpy as np
import pandas as pd

LABELS = ["Nomenclature", "Description", "Misc"]
QUICK = {"window_size": 8, "stride": 8, "batch_size": 32}
"""Added to SMALL where nothing has to be learnt: so few steps that they run eagerly."""
SMALL = {
    "input_size": 8,
    "hidden_size": 6,
    "line_size": 8,
    "num_layers": 1,
    "ensemble_size": 1,
    "refit": False,
    "batch_size": 8,
    "min_updates": 0,
    "validation_fraction": 0.1,
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


BIO_LABELS = ["B-NAME", "B-PLACE", "I-NAME", "I-PLACE", "O"]


def toy_tokens(documents=8, sentences=20, seed=0):
    """Make documents of tokens in which names follow "Dr" and places, of one to three words, follow "in"."""
    rng = np.random.default_rng(seed)
    syllables = ["ka", "lo", "mi", "ren", "tas", "vo"]

    def word():
        return "".join(rng.choice(syllables, 2)).capitalize()

    rows = []
    for d in range(documents):
        place = number = 0
        for s in range(sentences):
            parts = [("the", "O"), ("doctor", "O"), (".", "O")]
            if s % 2 == 0:
                parts = [("Dr", "O"), (word(), "B-NAME"), (word(), "I-NAME"), ("went", "O"), ("home", "O"), (".", "O")]
            if s % 3 == 0:
                spelt = [(word(), ("B-PLACE", "I-PLACE")[i > 0]) for i in range(rng.integers(1, 4))]
                parts = [("it", "O"), ("rained", "O"), ("in", "O"), *spelt, ("today", "O"), ("!", "O")]
            for i, (value, label) in enumerate(parts):
                before = 3 if number == 0 else 2 if i == 0 and s % 5 == 0 else 0 if value in ".!" else 1
                place += before
                rows.append((f"doc{d}", number, value, label, place, place + len(value), before))
                place, number = place + len(value), number + 1
    columns = ["doc_id", "line_number", "value", "label", "start", "end", "break_before"]
    return pd.DataFrame(rows, columns=columns)


def write_articles(folder, documents, seed):
    """Write made-up documents of tokens as articles and a file of spans."""
    folder.mkdir()
    gold = []
    for number, (_, part) in enumerate(toy_tokens(documents, 12, seed).groupby("doc_id", sort=False)):
        text = ""
        for row in part.itertuples():
            text += {0: "", 1: " ", 2: "\n", 3: "\n\n" if text else ""}[row.break_before]
            start = len(text)
            text += row.value
            if row.label.startswith("B-"):
                gold.append([f"article{number}", row.label[2:], start, len(text)])
            elif row.label.startswith("I-"):
                gold[-1][3] = len(text)
        (folder / f"article{number}.txt").write_bytes(text.encode())
    lines = ["\t".join([span[0].removeprefix("article"), *map(str, span[1:])]) for span in gold]
    folder.with_name(f"{folder.name}.labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [tuple(span) for span in gold]


def made_up_folds(task, settings, report):
    """Return probabilities that depend on the settings alone, as if a search had trained networks."""
    from skol_rnn.tuning.out_of_fold import OutOfFold

    rng = np.random.default_rng(sum(str(settings).encode()))
    truth = np.eye(len(task.labels))[task.true]
    posterior = 0.5 * truth + rng.dirichlet(np.ones(len(task.labels)), len(truth)) * 0.5
    for number in range(len(task.folds)):
        report(number, 1, float(rng.uniform(0.4, 0.6)))
    return OutOfFold(rng.permuted(posterior, axis=1), posterior, np.zeros(len(task.labels)))
