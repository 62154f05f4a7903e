"""Seconds to crfsuite's F1: train crfsuite and each preset on the same lines, and say which is as good in less time.

Every system trains in a process of its own, one after the other.  Seconds are wall-clock, CPU seconds those of all threads.

    python benchmarks/seconds.py --train skol/train --dev skol/dev --json seconds.json
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import tasks

PEER = "CRF"
OURS = ("skol_rnn instant", "skol_rnn fast", "skol_rnn")


def train_and_score(corpus, system, seed):
    """Train one system on train/ and score it on dev/."""
    from skol_rnn import evaluate_labels

    table, labels = tasks.read_task(corpus, tasks.TASKS[0])
    training, unseen = (table[table["part"] == part].drop(columns=["part", "volume"]) for part in ("train", "dev"))
    model = tasks.SYSTEMS[system]()
    if system in OURS:
        model.parameters["important"] = tasks.IMPORTANT
    if system in OURS[1:]:
        from skol_rnn.inference.keras_runner import load_tensorflow

        load_tensorflow()  # it must not count as training
    started, used = time.monotonic(), time.process_time()
    model.fit(training.reset_index(drop=True), labels, seed)
    seconds, cpu = time.monotonic() - started, time.process_time() - used
    predicted = model.predict(unseen.drop(columns="label").reset_index(drop=True))
    score = evaluate_labels(labels.encode(unseen["label"]), predicted, labels, important=tasks.IMPORTANT).important_f1
    return {"system": system, "seed": seed, "important_f1": score, "seconds": seconds, "cpu_seconds": cpu}


def row_of(run, peer):
    """Compare one training with crfsuite's."""
    ahead = run["important_f1"] - peer["important_f1"]
    ratio = peer["seconds"] / run["seconds"]
    row = f"{run['system']:18} F1 {run['important_f1']:.4f} ({ahead:+.4f})  {run['seconds']:6.1f} s"
    return f"{row}  {run['cpu_seconds']:6.1f} CPU s  {ratio:5.1f} times as fast as {PEER}"


def main():
    """Train crfsuite first, then ours, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--dev", required=True)
    parser.add_argument("--systems", nargs="+", default=list(OURS), choices=OURS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    corpus, runs = {"train": arguments.train, "dev": arguments.dev}, []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for system in (PEER, *arguments.systems):
            runs.append(pool.submit(train_and_score, corpus, system, arguments.seed).result())
            print(row_of(runs[-1], runs[0]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
