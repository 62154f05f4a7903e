"""Compare skol_rnn with a CRF, linear models and the old recipe on unseen documents.

Two tasks (three labels; all labels with at least 100 lines) and two splits (train on train/ and score dev/; hold out
each volume in turn) are cells of ``skol_rnn.batch_evaluate``: every system sees the same rows and is scored by the same
function.  Each finished training is added to the JSON file at once.  Those that it holds are not repeated, so runs with
other ``--systems``, ``--seeds`` or ``--splits`` add to one file; ``--again`` replaces them.

    python benchmarks/quality.py --train TRAIN --dev DEV --vectors vectors.npz --json docs/quality.json \
        --markdown docs/benchmarks.md

``benchmarks/sentence_vectors.py`` makes the file of vectors, which one of the peers needs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import peers
import quality_report
import tasks


def configuration(corpus, task, systems, folds, seeds, vectors=None):
    """Return the configuration of a batch: systems by folds by seeds."""
    _, labels = tasks.read_task(corpus, task)
    important = tasks.important_of(task, labels)
    common = {"labels": list(labels), "other": labels.names[-1], "important": list(important)}
    settings = {name: tasks.SYSTEMS[name]() for name in systems}
    for system in settings.values():
        if isinstance(system, peers.Ours):
            system.parameters["important"] = important
        if isinstance(system, peers.SentenceCRF):
            system.cache = vectors
    data = {fold: {**tasks.fold_files(corpus, fold), **common} for fold in folds}
    return {"settings": settings, "data": data, "seeds": list(seeds)}


def key_of(run):
    """Return what identifies a training of the JSON file."""
    return run["task"], run["system"], run["fold"], run["seed"]


def is_kept(cell, task, runs):
    """Tell whether the JSON file holds a cell; one whose system has no seed, under any seed."""
    key = (task, cell.setting.name, cell.data.name, cell.seed)
    return any(key_of(run) == key if cell.setting.seeded else key_of(run)[:3] == key[:3] for run in runs)


def run_of(cell, task):
    """Turn the record of a finished cell into a training of the JSON file."""
    same = ("seed", "labels", "documents", "confusion", "train_seconds", "predict_seconds", "bytes")
    names = {"system": cell["setting"], "task": task, "fold": cell["data"], "lines": cell["rows"]}
    return {**names, **{name: cell[name] for name in same}}


def character_counts(file, labels):
    """Count the characters of the lines of each label, of those predicted as it, and of those right, from predictions."""
    table = pd.read_csv(file, keep_default_na=False)
    size, right = table["value"].str.len(), table["label"] == table["predicted"]
    sums = [size.groupby(table["label"]).sum(), size.groupby(table["predicted"]).sum()]
    sums.append(size[right].groupby(table["label"][right]).sum())
    return [found.reindex(labels, fill_value=0).tolist() for found in sums]


def read_report(file):
    """Read the JSON file, or start one."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"runs": []}


def add_run(file, run):
    """Add a training to the JSON file, in place of the same one; others may have been added by another process."""
    from skol_rnn.frameworks import installed_versions
    from skol_rnn.persistence.atomic import write_atomically

    report = read_report(file)
    runs = {key_of(kept): kept for kept in report["runs"]} | {key_of(run): run}
    versions = installed_versions("tensorflow", "keras", "scikit-learn", "sklearn-crfsuite")
    write_atomically(file, as_json(report | {"runs": list(runs.values()), "versions": versions}).encode())


def as_json(report):
    """Write a line for each training, so that files with other trainings can be merged line by line."""
    runs = ",\n".join(json.dumps(run, separators=(",", ":"), ensure_ascii=False) for run in report["runs"])
    others = {name: value for name, value in report.items() if name != "runs"}
    return f'{{"runs":[\n{runs}\n],{json.dumps(others, ensure_ascii=False)[1:]}\n'


def finish(arguments, task, folder, cell, record):
    """Add a finished cell to the JSON file, and copy its predictions if they are wanted."""
    csv = folder / f"{cell.key}.csv"
    add_run(arguments.json, run_of(record, task) | {"characters": character_counts(csv, record["labels"])})
    if predictions := getattr(arguments, "predictions", None):
        name = f"{cell.setting.name}-{task}-{cell.data.name}-{cell.seed}.csv".replace(" ", "_").replace("'", "")
        predictions.mkdir(parents=True, exist_ok=True)
        shutil.copy(csv, predictions / name)


def run(arguments, task, systems, folds):
    """Run the trainings of a task that the JSON file does not hold yet, and add them to it."""
    from skol_rnn.batch_evaluate.config import read_batch
    from skol_rnn.batch_evaluate.store import read_finished, write_finished
    from skol_rnn.batch_evaluate.workers import run_cells

    corpus = {"train": arguments.train, "dev": arguments.dev}
    vectors = getattr(arguments, "vectors", None)
    cells = read_batch(configuration(corpus, task, systems, folds, arguments.seeds, vectors)).cells()
    folder = arguments.results / task.replace(" ", "-") / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    repeated = arguments.again or getattr(arguments, "predictions", None)
    wanted = [cell for cell in cells if repeated or not is_kept(cell, task, read_report(arguments.json)["runs"])]
    records = read_finished(folder, wanted, predictions=True)
    todo = [cell for cell in wanted if cell.key not in records]
    if not vectors and (lacking := [c for c in todo if isinstance(c.setting.value, peers.SentenceCRF)]):
        raise SystemExit(f"{lacking[0]} needs --vectors, a file that benchmarks/sentence_vectors.py writes.")
    for cell in wanted:
        if cell.key in records:
            finish(arguments, task, folder, cell, records[cell.key])
    with contextlib.closing(run_cells(todo, arguments.jobs, folder, predictions=True)) as ran:
        for number, (cell, record) in enumerate(ran, 1):
            if isinstance(record, dict):
                write_finished(folder, cell, record)
                finish(arguments, task, folder, cell, record)
            shown = record if isinstance(record, str) else f"important F1 {record['scores']['important_f1']:.4f}"
            print(f"{number}/{len(todo)}  {task}: {cell}: {shown}", flush=True)
    return read_report(arguments.json)


def parser_of(text):
    """Return the options that the benchmarks of quality and of the ablation share."""
    parser = argparse.ArgumentParser(description=text.split("\n")[0])
    parser.add_argument("--train", required=True, help="folder of annotated documents to train on")
    parser.add_argument("--dev", required=True, help="folder of annotated documents to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder for finished trainings")
    parser.add_argument(
        "--again", action="store_true", help="replace what the JSON file holds; trainings in --results are not repeated"
    )
    parser.add_argument("--jobs", type=int, default=1, help="trainings in parallel; use 1 for comparable times")
    return parser


def main():
    """Run the trainings and write the page."""
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(tasks.TASKS), choices=tasks.TASKS)
    parser.add_argument("--splits", nargs="+", default=["dev", "volumes"], choices=["dev", "volumes"])
    parser.add_argument("--systems", nargs="+", default=list(tasks.SYSTEMS), choices=list(tasks.SYSTEMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="file of sentence_vectors.py")
    parser.add_argument("--predictions", type=Path, help="folder for predictions as CSV; trains again without them")
    arguments = parser.parse_args()
    corpus = {"train": arguments.train, "dev": arguments.dev}
    folds = [fold for split in arguments.splits for fold in tasks.folds(corpus, split)]
    for task in arguments.tasks:
        report = run(arguments, task, arguments.systems, folds)
    if arguments.markdown:
        command = " ".join(["python", "benchmarks/quality.py", *sys.argv[1:]])
        quality_report.write(report, command, arguments.markdown)


if __name__ == "__main__":
    main()
