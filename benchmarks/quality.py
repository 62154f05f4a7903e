"""Compare skol_rnn with a CRF, linear models and the old recipe on unseen documents.

Two tasks (three labels; all labels with at least 100 lines) and two splits (train on train/ and score dev/; hold out
each volume in turn) are batches of ``skol_rnn.batch_evaluate``: every system sees the same rows and is scored by the same
function, and a stopped run can be resumed.  Trainings that the JSON file holds are not repeated.

    python benchmarks/quality.py --train TRAIN --dev DEV --json docs/quality.json --markdown docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import peers
import quality_report
import tasks


def configuration(corpus, task, systems, folds, seeds):
    """Return the configuration of a batch: systems by folds by seeds."""
    _, labels = tasks.read_task(corpus, task)
    important = tasks.important_of(task, labels)
    common = {"labels": list(labels), "other": labels.names[-1], "important": list(important)}
    settings = {name: tasks.SYSTEMS[name]() for name in systems}
    for system in settings.values():
        if isinstance(system, peers.Ours):
            system.parameters["important"] = important
    data = {fold: {**tasks.fold_files(corpus, fold), **common} for fold in folds}
    return {"settings": settings, "data": data, "seeds": list(seeds)}


def kept_record(run):
    """Turn a training of the JSON file into the record of a finished cell."""
    labels = run["labels"]
    support, predicted, right = tasks.counts_of([run]).sum(axis=0)
    columns = {"support": support, "predicted": predicted, "f1": 2 * right / np.maximum(support + predicted, 1)}
    columns |= {"precision": right / np.maximum(predicted, 1), "recall": right / np.maximum(support, 1)}
    scores = {f"{kind}/{name}": float(values[i]) for kind, values in columns.items() for i, name in enumerate(labels)}
    important = tasks.important_of(run["task"], labels)
    scores |= {"important_f1": float(np.mean([scores[f"f1/{name}"] for name in important]))}
    scores |= {"macro_f1": float(columns["f1"].mean()), "accuracy": float(right.sum() / support.sum())}
    same = ("labels", "documents", "train_seconds", "predict_seconds", "bytes")
    return {"scores": scores, "important": list(important), "rows": run["lines"], **{name: run[name] for name in same}}


def run_of(cell, task):
    """Turn the record of a finished cell into a training of the JSON file."""
    same = ("seed", "labels", "documents", "train_seconds", "predict_seconds", "bytes")
    names = {"system": cell["setting"], "task": task, "fold": cell["data"], "lines": cell["rows"]}
    return {**names, **{name: cell[name] for name in same}}


def run(arguments, task, systems, folds):
    """Run the trainings of a task that the JSON file does not hold yet, and write all of them to it."""
    from skol_rnn.batch_evaluate.config import read_batch
    from skol_rnn.batch_evaluate.run import batch_evaluate
    from skol_rnn.batch_evaluate.store import write_finished
    from skol_rnn.persistence.atomic import write_atomically

    report = {"runs": []}
    if arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
    config = configuration({"train": arguments.train, "dev": arguments.dev}, task, systems, folds, arguments.seeds)
    out = arguments.results / task.replace(" ", "-")
    kept = {(r["system"], r["fold"], r["seed"]): r for r in report["runs"] if r["task"] == task}
    for cell in read_batch(config).cells():
        if one := kept.get((cell.setting.name, cell.data.name, cell.seed)):
            write_finished(out / "cells", cell, kept_record(one))
    predictions = getattr(arguments, "predictions", None)
    result = batch_evaluate(config, out, jobs=arguments.jobs, predictions=bool(predictions))
    found = {(r["system"], r["fold"], r["seed"]): r for r in (run_of(c, task) for c in result.cells if "scores" in c)}
    if found.keys() - kept.keys():
        # Only the CRF needs the last one, so it may be absent.
        packages = {"tensorflow": "tensorflow", "keras": "keras", "scikit-learn": "sklearn"}
        packages["sklearn-crfsuite"] = "sklearn_crfsuite"
        report["versions"] = {name: version(name) for name, module in packages.items() if find_spec(module)}
    report["runs"] = [r for r in report["runs"] if r["task"] != task] + list((kept | found).values())
    write_atomically(arguments.json, json.dumps(report).encode())
    for cell in result.cells if predictions else ():
        name = f"{cell['setting']}-{task}-{cell['data']}-{cell['seed']}.csv".replace(" ", "_").replace("'", "")
        predictions.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "cells" / f"{cell['key']}.csv", predictions / name)
    print(result)
    return report


def parser_of(text):
    """Return the options that the benchmarks of quality and of the ablation share."""
    parser = argparse.ArgumentParser(description=text.split("\n")[0])
    parser.add_argument("--train", required=True, help="folder of annotated documents to train on")
    parser.add_argument("--dev", required=True, help="folder of annotated documents to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder for finished trainings")
    parser.add_argument("--jobs", type=int, default=1, help="trainings in parallel; use 1 for comparable times")
    return parser


def main():
    """Run the trainings and write the page."""
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(tasks.TASKS), choices=tasks.TASKS)
    parser.add_argument("--splits", nargs="+", default=["dev", "volumes"], choices=["dev", "volumes"])
    parser.add_argument("--systems", nargs="+", default=list(tasks.SYSTEMS), choices=list(tasks.SYSTEMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
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
