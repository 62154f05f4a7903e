"""How good are the labels of documents that were not trained on, beside a CRF, linear models and the old recipe?

Two tasks (three labels; all labels with at least 100 lines), two splits (train -> dev; each volume held out in turn),
every system on the same rows, scored by the same function.  Each finished training is added to the JSON file at once,
so that a run that was stopped goes on where it stopped.

    python benchmarks/quality.py --train TRAIN --dev DEV --json docs/quality.json --markdown docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import peers

IMPORTANT = ("Nomenclature", "Description")
SEED_WEIGHTS = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
FEWEST = 100  # lines that a label of the fine task has in the training documents
RESAMPLES = 2000
SYSTEMS = {
    "majority": peers.Majority,
    "logistic regression": lambda: peers.LinearLines("logistic"),
    "LinearSVC": lambda: peers.LinearLines("svc"),
    "logistic regression, neighbours' words": lambda: peers.LinearLines("logistic", neighbours=True),
    "LinearSVC, neighbours' words": lambda: peers.LinearLines("svc", neighbours=True),
    "CRF": peers.CRF,
    "old recipe": lambda: peers.OldRecipe(SEED_WEIGHTS),
    "old recipe without weights": peers.OldRecipe,
    "skol_rnn fast": lambda: peers.Ours(preset="fast"),
    "skol_rnn": peers.Ours,
    "skol_rnn best": lambda: peers.Ours(preset="best"),
}
OURS = ("skol_rnn fast", "skol_rnn", "skol_rnn best")
SEEDED = ("old recipe", "old recipe without weights", *OURS)
TASKS = ("three labels", "fine")


def read_task(arguments, task):
    """Return all lines with their labels and volumes, and the label set; the last label is that of all other lines."""
    from skol_rnn import LabelSet, read_documents

    parts = {part: read_documents(path).table for part, path in arguments.items()}
    table = pd.concat([table.assign(part=part) for part, table in parts.items()], ignore_index=True)
    counts = table["label"].value_counts()
    frequent = [name for name in counts.index if counts[name] >= FEWEST]
    names = (*IMPORTANT, "Misc") if task == TASKS[0] else (*frequent[1:], frequent[0])
    # Text outside every block has the label of the rest, as the scorer of such files reads it.
    table["label"] = table["label"].where(table["label"].isin(names), names[-1])
    table["volume"] = table["doc_id"].str.extract(r"^(.*?-\d+)", expand=False)
    return table, LabelSet(names)


def folds(corpus, split):
    """Name the folds of a split: dev, or the volumes."""
    return ["dev"] if split == "dev" else sorted(read_task(corpus, TASKS[0])[0]["volume"].unique())


def train_and_score(system, task, fold, seed, corpus, threads, folder):
    """Train one system on one fold; return the counts by document, and keep the predictions in a folder."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    table, labels = read_task(corpus, task)
    held = table["part" if fold == "dev" else "volume"] == fold
    training, unseen = (table[rows].reset_index(drop=True) for rows in (~held, held))
    model = SYSTEMS[system]()
    if isinstance(model, peers.Ours):
        model.parameters["important"] = important_of(task, labels)
    started = time.monotonic()
    model.fit(training, labels, seed)
    trained = time.monotonic()
    predicted = model.predict(unseen.drop(columns="label"))
    done = time.monotonic()
    if folder:
        name = f"{system}-{task}-{fold}-{seed}.csv".replace(" ", "_").replace("'", "")
        rows = unseen[["doc_id", "line_number", "value", "label"]].assign(predicted=labels.decode(predicted))
        Path(folder).mkdir(parents=True, exist_ok=True)
        rows.to_csv(Path(folder) / name, index=False)
    return {
        "system": system,
        "task": task,
        "fold": fold,
        "seed": seed,
        "labels": list(labels),
        "documents": counts_by_document(unseen, predicted, labels),
        "train_seconds": trained - started,
        "predict_seconds": done - trained,
        "bytes": model.size(),
        "lines": len(unseen),
    }


def important_of(task, labels):
    """Labels whose mean F1 is the figure of a task."""
    return IMPORTANT if task == TASKS[0] else tuple(labels)


def counts_by_document(table, predicted, labels):
    """Count true, predicted and right lines of each label, document by document."""
    from skol_rnn import evaluate_labels

    scored = evaluate_labels(labels.encode(table["label"]), predicted, labels, documents=table["doc_id"].to_numpy())
    return {
        name: [e.support.tolist(), e.predicted.tolist(), np.diag(e.confusion).tolist()]
        for name, e in scored.per_document
    }


def todo_of(arguments, corpus):
    """List the trainings of the tasks and splits that were asked for."""
    return [
        (system, task, fold, seed)
        for task in arguments.tasks
        for split in arguments.splits
        for seed in arguments.seeds
        for fold in folds(corpus, split)
        for system in arguments.systems
        if seed == arguments.seeds[0] or system in SEEDED
    ]


def run(arguments, todo, train_and_score=train_and_score):
    """Train what is not in the JSON file yet."""
    report = {"runs": []}
    if arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
    corpus = {"train": arguments.train, "dev": arguments.dev}
    report["versions"] = {name: version(name) for name in ("tensorflow", "keras", "scikit-learn", "sklearn-crfsuite")}
    done = {(r["system"], r["task"], r["fold"], r["seed"]) for r in report["runs"]}
    todo = [what for what in todo if what not in done]
    with ProcessPoolExecutor(arguments.jobs, max_tasks_per_child=1) as pool:
        waiting = [
            pool.submit(train_and_score, *what, corpus, arguments.threads, arguments.predictions) for what in todo
        ]
        for number, future in enumerate(as_completed(waiting), 1):
            result = future.result()
            report["runs"].append(result)
            fresh = arguments.json.with_suffix(".part")
            fresh.write_text(json.dumps(report), encoding="utf-8")
            fresh.replace(arguments.json)
            score = mean_f1(counts_of([result]), result["task"], result["labels"])
            what = f"{result['task']}, {result['fold']}, {result['system']}, seed {result['seed']}"
            print(f"{number}/{len(todo)} {what}: {score:.4f}  {result['train_seconds']:.0f} s", flush=True)
    return report


def counts_of(runs):
    """Stack the counts of all documents: (documents, 3, labels)."""
    return np.array([counts for r in runs for counts in r["documents"].values()], np.int64)


def mean_f1(counts, task, labels):
    """Compute the mean F1 of the task's labels from counts, pooled over documents."""
    support, predicted, right = counts.sum(axis=0)
    f1 = 2 * right / np.maximum(support + predicted, 1)
    return float(np.mean([f1[labels.index(name)] for name in important_of(task, labels)]))


def paired_bootstrap(ours, other, task, labels):
    """Resample documents; return the 95 % interval of the difference of mean F1."""
    draws = np.random.default_rng(0).integers(0, len(ours), (RESAMPLES, len(ours)))
    differences = [mean_f1(ours[d], task, labels) - mean_f1(other[d], task, labels) for d in draws]
    return np.percentile(differences, [2.5, 97.5])


def main():
    """Run, and write the tables."""
    import quality_report

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True, help="folder of annotated documents to train on")
    parser.add_argument("--dev", required=True, help="folder of annotated documents to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--splits", nargs="+", default=["dev", "volumes"], choices=["dev", "volumes"])
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time; the seconds are fair with one")
    parser.add_argument("--threads", type=int, default=2, help="threads of each")
    parser.add_argument("--predictions", type=Path, help="folder for a CSV of each training's predictions")
    arguments = parser.parse_args()
    report = run(arguments, todo_of(arguments, {"train": arguments.train, "dev": arguments.dev}))
    if arguments.markdown:
        command = " ".join(["python", "benchmarks/quality.py", *sys.argv[1:]])
        quality_report.write(report, command, arguments.markdown)


if __name__ == "__main__":
    main()
