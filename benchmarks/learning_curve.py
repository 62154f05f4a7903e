"""Learning curve: score every system after training on 1, 2, 4, ... documents.

A draw shuffles the documents.  The last ones are its test set; training uses the first 1, 2, 4, ... of the others, so
each size adds documents to the previous one.  The first document of a draw holds every label, as the first document that
a person annotates would.  Each finished training is written to the JSON file at once, so a stopped run can be resumed.

    python benchmarks/learning_curve.py --documents DEV --json docs/learning_curve.json --markdown docs/learning_curve.md
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tasks
from tasks import IMPORTANT

LABELS = (*IMPORTANT, "Misc")
SIZES = (1, 2, 4, 8, 16, 32, 0)
ALL = 0
TEST_DOCUMENTS = 14
OURS, INSTANT = "skol_rnn", "skol_rnn instant"
SYSTEMS = {
    name: tasks.SYSTEMS[name]
    for name in (
        "logistic regression",
        "LinearSVC",
        "logistic regression, neighbours' words",
        "LinearSVC, neighbours' words",
        "CRF",
        INSTANT,
        OURS,
    )
}
PLOTTED = (
    OURS,
    INSTANT,
    "CRF",
    "LinearSVC, neighbours' words",
    "logistic regression, neighbours' words",
)


def read_lines(folder):
    """Return the lines of all documents; all labels but the important ones become Misc."""
    from skol_rnn import read_documents

    table = read_documents(folder).table
    table["label"] = table["label"].where(table["label"].isin(IMPORTANT), "Misc")
    return table


def draw(table, size, seed):
    """Return training and test lines of one draw."""
    order = np.random.default_rng(seed).permutation(sorted(table["doc_id"].unique()))
    test, pool = order[-TEST_DOCUMENTS:], list(order[:-TEST_DOCUMENTS])
    held = table.groupby("doc_id")["label"].nunique()
    pool.insert(0, pool.pop(next(i for i, name in enumerate(pool) if held[name] == len(LABELS))))
    chosen = pool[:size] if size != ALL else pool
    return tuple(table[table["doc_id"].isin(part)].reset_index(drop=True) for part in (chosen, test))


def train_and_score(folder, system, size, seed):
    """Train one system on one draw."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from skol_rnn import LabelSet, evaluate_labels

    labels = LabelSet(LABELS)
    training, unseen = draw(read_lines(folder), size, seed)
    model = SYSTEMS[system]()
    if system in (OURS, INSTANT):
        model.parameters["important"] = IMPORTANT
    if system == OURS:
        import keras  # noqa: F401  # so that the import does not count as training time
    started = time.monotonic()
    model.fit(training, labels, seed)
    trained = time.monotonic()
    predicted = model.predict(unseen.drop(columns="label"))
    done = time.monotonic()
    scores = evaluate_labels(labels.encode(unseen["label"]), predicted, labels, important=IMPORTANT)
    return {
        "system": system,
        "documents": size,
        "draw": seed,
        "lines": len(training),
        "rare_lines": int((training["label"] == IMPORTANT[0]).sum()),
        "f1": dict(zip(LABELS, scores.f1.tolist(), strict=True)),
        "important_f1": scores.important_f1,
        "train_seconds": trained - started,
        "predict_seconds": done - trained,
    }


def key_of(run):
    """Return the key of a training."""
    return run["system"], run["documents"], run["draw"]


def run_all(folder, systems, sizes, draws, file):
    """Run the trainings that the file does not hold yet, one after the other, each in its own process."""
    runs = json.loads(file.read_text())["runs"] if file.exists() else []
    done = {key_of(run) for run in runs}
    todo = [(s, n, d) for d in range(draws) for n in sizes for s in systems if (s, n, d) not in done]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for number, (system, size, seed) in enumerate(todo, 1):
            result = pool.submit(train_and_score, folder, system, size, seed).result()
            runs.append(result)
            file.write_text(json.dumps({"runs": runs}, indent=1) + "\n")
            print(
                f"{number}/{len(todo)}  {system}, {name_of(size)} documents, draw {seed}: "
                f"{result['important_f1']:.3f} in {result['train_seconds']:.0f} s",
                flush=True,
            )
    return runs


def by_size(runs, value):
    """Group a value of the runs: system -> size -> one value for each draw."""
    grouped = defaultdict(lambda: defaultdict(list))
    for run in sorted(runs, key=lambda r: r["draw"]):
        grouped[run["system"]][run["documents"]].append(value(run))
    return grouped


def table_of(runs, value, digits=3):
    """Build a table with a row for each system and a column for each size."""
    grouped, sizes = by_size(runs, value), [n for n in SIZES if any(run["documents"] == n for run in runs)]
    lines = ["| System | " + " | ".join(name_of(n) for n in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for system in SYSTEMS:
        if system in grouped:
            cells = [
                f"{np.mean(found):.{digits}f} ± {np.ptp(found) / 2:.{digits}f}"
                if (found := grouped[system][n])
                else "-"
                for n in sizes
            ]
            lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return lines


def name_of(size):
    """Return the name of a size."""
    return str(size) if size != ALL else "all"


def gaps(runs):
    """Compare our system with the best other one, by size."""
    grouped, lines = by_size(runs, lambda run: run["important_f1"]), []
    for size in SIZES:
        others = {
            name: np.mean(found[size]) for name, found in grouped.items() if name not in (OURS, INSTANT) and found[size]
        }
        if others and grouped[OURS][size]:
            best = max(others, key=others.get)
            gap = np.mean(grouped[OURS][size]) - others[best]
            slowest = max(run["train_seconds"] for run in runs if run["system"] == OURS and run["documents"] == size)
            lines.append(f"| {name_of(size)} | {best} | {others[best]:.3f} | {gap:+.3f} | {slowest:.0f} |")
    return lines


def report(runs, figure):
    """Build the page."""
    pool = {run["documents"]: [] for run in runs}
    for run in runs:
        if run["system"] == OURS:
            pool[run["documents"]].append((run["lines"], run["rare_lines"]))
    sizes = [
        f"| {name_of(n)} | {np.mean([p[0] for p in pool[n]]):,.0f} | {np.mean([p[1] for p in pool[n]]):.0f} |"
        for n in SIZES
        if pool.get(n)
    ]
    draws = len({run["draw"] for run in runs})
    return "\n".join(
        [
            "# Learning curve: how many documents must be annotated?",
            "",
            "Generated by `python benchmarks/learning_curve.py --documents DEV --json docs/learning_curve.json "
            "--markdown docs/learning_curve.md`; all results are in `learning_curve.json`.",
            "",
            f"Each of {draws} draws shuffles the documents of `dev/`, tests on the last {TEST_DOCUMENTS} and trains on the "
            "first 1, 2, 4, ... of the others. The first document of a draw holds every label. All systems run with their "
            "defaults. Cells show the mean over draws ± half their range. Times are wall-clock seconds on two shared cores.",
            "",
            f"![Important F1 by number of training documents]({figure.name})",
            "",
            "## Important F1",
            "",
            *table_of(runs, lambda run: run["important_f1"]),
            "",
            "| Documents | Best other system | Its F1 | skol_rnn ahead by | Longest skol_rnn training, s |",
            "|---|---|---|---|---|",
            *gaps(runs),
            "",
            "## How many documents must I annotate?",
            "",
            "| Documents | Lines | Nomenclature lines |",
            "|---|---|---|",
            *sizes,
            "",
            "Find the F1 that you need in the first table, and the number of documents above it. What counts is the number "
            "of lines with the rare label, not of documents: annotate documents that hold many.",
            "",
            "## Nomenclature F1",
            "",
            *table_of(runs, lambda run: run["f1"]["Nomenclature"]),
            "",
            "## Description F1",
            "",
            *table_of(runs, lambda run: run["f1"]["Description"]),
            "",
            "## Training time in seconds",
            "",
            *table_of(runs, lambda run: run["train_seconds"], 1),
            "",
        ]
    )


def plot(runs, file):
    """Plot the important F1 of some systems by size."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "skol_rnn"
    grouped = by_size(runs, lambda run: run["important_f1"])
    lines = by_size(runs, lambda run: run["lines"])
    figure, axes = plt.subplots(figsize=(7, 4.2))
    sizes = [n for n in SIZES if grouped[OURS][n]]
    for system in PLOTTED:
        found = [grouped[system][n] for n in sizes]
        if not all(found):
            continue
        x = np.arange(len(sizes))
        mean = np.array([np.mean(f) for f in found])
        (line,) = axes.plot(x, mean, marker="o", linewidth=2.4 if system == OURS else 1.2, label=system)
        low, high = (np.array([limit(f) for f in found]) for limit in (min, max))
        if system in (OURS, "CRF"):
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    names = [f"{name_of(n)}\n{np.mean(lines[OURS][n]):,.0f}" for n in sizes]
    axes.set_xticks(np.arange(len(sizes)), names)
    axes.set(xlabel="training documents (below: lines)", ylabel="important F1", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main():
    """Run the trainings and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    runs = run_all(arguments.documents, arguments.systems, arguments.sizes, arguments.draws, arguments.json)
    if arguments.markdown:
        figure = arguments.markdown.with_suffix(".svg")
        plot(runs, figure)
        arguments.markdown.write_text(report(runs, figure))


if __name__ == "__main__":
    main()
