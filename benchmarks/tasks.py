"""Tasks, systems and scores shared by the benchmarks of quality, and by their reports."""

from __future__ import annotations

import functools
import re

import numpy as np
import pandas as pd
import peers

IMPORTANT = ("Nomenclature", "Description")
SEED_WEIGHTS = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
FEWEST = 100  # least number of lines of a label of the fine task
RESAMPLES = 2000
SYSTEMS = {
    "majority": peers.Majority,
    "logistic regression": lambda: peers.LinearLines("logistic"),
    "LinearSVC": lambda: peers.LinearLines("svc"),
    "logistic regression, neighbours' words": lambda: peers.LinearLines("logistic", neighbours=True),
    "LinearSVC, neighbours' words": lambda: peers.LinearLines("svc", neighbours=True),
    "linear, words of ±4 lines": peers.WideLinear,
    "CRF": peers.CRF,
    "MiniLM sentence vectors, CRF": peers.SentenceCRF,
    "old recipe": lambda: peers.OldRecipe(SEED_WEIGHTS),
    "old recipe without weights": peers.OldRecipe,
    "skol_rnn instant": lambda: peers.Ours(preset="instant"),
    "skol_rnn fast": lambda: peers.Ours(preset="fast"),
    "skol_rnn": peers.Ours,
}
OURS = tuple(name for name in SYSTEMS if name.startswith("skol_rnn"))
TASKS = ("three labels", "fine")


@functools.cache
def documents_of(path):
    """Read the documents of a folder, once."""
    from skol_rnn import read_documents

    return read_documents(path)


def read_task(corpus, task):
    """Return the lines with labels and volumes, and the label set, whose last label stands for all others."""
    from skol_rnn import LabelSet

    tables = [documents_of(path).table.assign(part=part) for part, path in corpus.items()]
    table = pd.concat(tables, ignore_index=True)
    counts = table["label"].value_counts()
    frequent = [name for name in counts.index if counts[name] >= FEWEST]
    names = (*IMPORTANT, "Misc") if task == TASKS[0] else (*frequent[1:], frequent[0])
    # Text outside every block counts as Misc, as in the scorer for these files.
    table["label"] = table["label"].where(table["label"].isin(names), names[-1])
    table["volume"] = table["doc_id"].map(volume_of)
    return table, LabelSet(names)


def folds(corpus, split):
    """Return the names of a split's folds: dev, or the volumes."""
    return ["dev"] if split == "dev" else sorted(read_task(corpus, TASKS[0])[0]["volume"].unique())


def fold_files(corpus, fold):
    """Return the files to train on and the files to score of a fold: dev, or a volume."""
    files = {"train": [], "test": []}
    for part, path in corpus.items():
        for document in documents_of(path):
            held = fold in (part, volume_of(document.doc_id))
            files["test" if held else "train"].append(document.path)
    return files


def volume_of(doc_id):
    """Return the volume of a document, such as Mycotaxon-117."""
    found = re.match(r"(.*?-\d+)", doc_id)
    return found and found[1]


def important_of(task, labels):
    """Return the labels whose mean F1 is the score of a task."""
    return IMPORTANT if task == TASKS[0] else tuple(labels)


def counts_of(runs):
    """Stack the counts of all documents; shape (documents, 3, labels)."""
    return np.array([counts for r in runs for counts in r["documents"].values()], np.int64)


def label_f1(counts):
    """Compute the F1 of each label from counts pooled over documents; NaN where a label has no line."""
    support, predicted, right = counts.sum(axis=0)
    return np.where(support > 0, 2 * right / np.maximum(support + predicted, 1), np.nan)


def mean_f1(counts, task, labels):
    """Compute the task's mean F1 from counts pooled over documents, over the labels that have lines."""
    f1 = label_f1(counts)[[labels.index(name) for name in important_of(task, labels)]]
    return float(np.nanmean(f1)) if not np.isnan(f1).all() else 0.0


def character_f1(runs, task):
    """Return the mean over runs of the mean F1 where each line weighs its number of characters; NaN if not counted."""
    counted = [mean_f1(np.array([r["characters"]]), task, r["labels"]) for r in runs if "characters" in r]
    return float(np.mean(counted)) if len(counted) == len(runs) > 0 else np.nan


def paired_bootstrap(ours, other, task, labels):
    """Return the 95 % interval of the difference in mean F1, by resampling documents."""
    draws = np.random.default_rng(0).integers(0, len(ours), (RESAMPLES, len(ours)))
    differences = [mean_f1(ours[d], task, labels) - mean_f1(other[d], task, labels) for d in draws]
    return np.percentile(differences, [2.5, 97.5])
