"""Compare skol_rnn with a CRF, linear models and the old recipe on unseen documents.

Two tasks (three labels; all labels with at least 100 lines) and two splits (train on train/ and score dev/; hold out
each volume in turn).  Every system sees the same rows and is scored by the same function.  Each finished training is
written to the JSON file at once, so a stopped run can be resumed.

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

import peers
import quality_report
import tasks


def train_and_score(system, task, fold, seed, corpus, threads, folder):
    """Train one system on one fold; return its counts by document and save its predictions to a folder."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    table, labels = tasks.read_task(corpus, task)
    held = table["part" if fold == "dev" else "volume"] == fold
    training, unseen = (table[rows].reset_index(drop=True) for rows in (~held, held))
    model = tasks.SYSTEMS[system]()
    if isinstance(model, peers.Ours):
        model.parameters["important"] = tasks.important_of(task, labels)
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
        "documents": tasks.counts_by_document(unseen, predicted, labels),
        "train_seconds": trained - started,
        "predict_seconds": done - trained,
        "bytes": model.size(),
        "lines": len(unseen),
    }


def todo_of(arguments, corpus):
    """List the requested trainings."""
    return [
        (system, task, fold, seed)
        for task in arguments.tasks
        for split in arguments.splits
        for seed in arguments.seeds
        for fold in tasks.folds(corpus, split)
        for system in arguments.systems
        if seed == arguments.seeds[0] or system in tasks.SEEDED
    ]


def run(arguments, todo, train_and_score=train_and_score):
    """Run the trainings that the JSON file does not hold yet."""
    report = {"runs": []}
    if arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
    corpus = {"train": arguments.train, "dev": arguments.dev}
    done = {(r["system"], r["task"], r["fold"], r["seed"]) for r in report["runs"]}
    todo = [what for what in todo if what not in done]
    if todo:
        packages = ("tensorflow", "keras", "scikit-learn", "sklearn-crfsuite")
        report["versions"] = {name: version(name) for name in packages}
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
            score = tasks.mean_f1(tasks.counts_of([result]), result["task"], result["labels"])
            what = f"{result['task']}, {result['fold']}, {result['system']}, seed {result['seed']}"
            print(f"{number}/{len(todo)} {what}: {score:.4f}  {result['train_seconds']:.0f} s", flush=True)
    return report


def main():
    """Run the trainings and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True, help="folder of annotated documents to train on")
    parser.add_argument("--dev", required=True, help="folder of annotated documents to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(tasks.TASKS), choices=tasks.TASKS)
    parser.add_argument("--splits", nargs="+", default=["dev", "volumes"], choices=["dev", "volumes"])
    parser.add_argument("--systems", nargs="+", default=list(tasks.SYSTEMS), choices=list(tasks.SYSTEMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="trainings in parallel; use 1 for comparable times")
    parser.add_argument("--threads", type=int, default=2, help="threads per training")
    parser.add_argument("--predictions", type=Path, help="folder for the predictions of each training, as CSV")
    arguments = parser.parse_args()
    report = run(arguments, todo_of(arguments, {"train": arguments.train, "dev": arguments.dev}))
    if arguments.markdown:
        command = " ".join(["python", "benchmarks/quality.py", *sys.argv[1:]])
        quality_report.write(report, command, arguments.markdown)


if __name__ == "__main__":
    main()
