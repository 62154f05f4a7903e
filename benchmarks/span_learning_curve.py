"""Learning curve of spans: skol_rnn, a CRF and a tuned CRF after training on 2, 5 and 20 annotated articles.

Each draw shuffles the training articles and takes the first ones; all systems are scored on the same articles.

    python benchmarks/span_learning_curve.py --train ARTICLES --dev ARTICLES --json docs/span_learning_curve.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import spans

SYSTEMS = ("CRF", "CRF, offset of O tuned", "skol_rnn, smoothed weights, tuned (default)")
SIZES = (2, 5, 20)


def train_and_score(system, size, seed, train, dev):
    """Train one system on the first articles of a draw and score it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    training, _ = spans.read_articles(train)
    unseen, gold = spans.read_articles(dev)
    chosen = np.random.default_rng(seed).permutation(sorted(training["doc_id"].unique()))[:size]
    training = training[training["doc_id"].isin(chosen)].reset_index(drop=True)
    model = spans.SYSTEMS[system]()
    began = time.monotonic()
    model.fit(training, seed)
    seconds = time.monotonic() - began
    labels = np.asarray(model.predict(unseen.drop(columns="label")), dtype=object)
    sums = spans.sums_by_type(gold, spans.character_spans(unseen, labels))
    return {
        "system": system,
        "articles": size,
        "draw": seed,
        "tokens": len(training),
        "spans": int(training["label"].str.startswith("B-").sum()),
        "fragment_f1": spans.fragment_f1(sums),
        "strict_f1": spans.strict_f1(sums),
        "train_seconds": seconds,
    }


def main():
    """Run the trainings that the file does not hold yet and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    runs = json.loads(arguments.json.read_text())["runs"] if arguments.json.exists() else []
    done = {(run["system"], run["articles"], run["draw"]) for run in runs}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for draw in range(arguments.draws):
            for size in arguments.sizes:
                for system in arguments.systems:
                    if (system, size, draw) in done:
                        continue
                    run = pool.submit(train_and_score, system, size, draw, arguments.train, arguments.dev).result()
                    runs.append(run)
                    arguments.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n")
                    print(
                        f"{system}, {size} articles, draw {draw}: {run['fragment_f1']:.4f}, {run['train_seconds']:.0f} s",
                        flush=True,
                    )
    print("| System | " + " | ".join(f"{size} articles" for size in arguments.sizes) + " |")
    print("|---" * (len(arguments.sizes) + 1) + "|")
    for system in arguments.systems:
        cells = []
        for size in arguments.sizes:
            found = [r["fragment_f1"] for r in runs if (r["system"], r["articles"]) == (system, size)]
            cells.append(f"{np.mean(found):.3f} ± {np.ptp(found) / 2:.3f}" if found else "-")
        print(f"| {system} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
