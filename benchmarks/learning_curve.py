"""Learning curve: score every system after training on 1, 2, 4, ... documents, or volumes.

A draw shuffles the documents.  The last ones are its test set; training uses the first 1, 2, 4, ... of the others, so
each size adds documents to the previous one.  The first document of a draw holds every label, as the first document that
a person annotates would.  Each finished training is written to the JSON file at once, so a stopped run can be resumed.

    python benchmarks/learning_curve.py --documents DEV --json docs/learning_curve.json --markdown docs/learning_curve.md

With ``--unit volumes``, a draw tests on one volume, each draw on another one, and trains on 1, 2, 4, ... of the others.

    python benchmarks/learning_curve.py --unit volumes --documents TRAIN DEV --draws 3 \
        --json volumes.json --markdown volumes.md
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tasks
from tasks import IMPORTANT

LABELS = (*IMPORTANT, "Misc")
ALL = 0
TEST_DOCUMENTS = 14
TIMES = "Times are wall-clock seconds on two shared cores."
INSTANT, WIDE = "skol_rnn instant", "linear, words of ±4 lines"


@dataclass(frozen=True)
class Unit:
    """What the training sets of a curve consist of, and the systems that are drawn."""

    name: str
    sizes: tuple[int, ...]
    ours: str
    systems: tuple[str, ...]
    plotted: tuple[str, ...]


UNITS = {
    "documents": Unit(
        "documents",
        (1, 2, 4, 8, 16, 32, ALL),
        "skol_rnn",
        (
            "logistic regression",
            "LinearSVC",
            "logistic regression, neighbours' words",
            "LinearSVC, neighbours' words",
            WIDE,
            "CRF",
            INSTANT,
            "skol_rnn",
        ),
        ("skol_rnn", INSTANT, WIDE, "CRF", "LinearSVC, neighbours' words", "logistic regression, neighbours' words"),
    ),
    "volumes": Unit(
        "volumes",
        (1, 2, 4, 6, ALL),
        "skol_rnn fast",
        ("LinearSVC, neighbours' words", INSTANT, "skol_rnn fast"),
        ("skol_rnn fast", INSTANT, "LinearSVC, neighbours' words"),
    ),
}


def read_lines(folders):
    """Return the lines of all documents; all labels but the important ones become Misc."""
    from skol_rnn import read_documents

    table = read_documents([str(folder) for folder in folders]).table
    table["label"] = table["label"].where(table["label"].isin(IMPORTANT), "Misc")
    return table


def draw_volumes(table, size, seed):
    """Return training and test lines of one draw of volumes, the number of which is that of different draws."""
    volume = table["doc_id"].map(tasks.volume_of)
    order = list(np.random.default_rng(0).permutation(sorted(volume.unique())))
    test = order.pop(seed % len(order))
    pool = np.random.default_rng(seed).permutation(order)
    chosen = pool[:size] if size != ALL else pool
    return tuple(table[volume.isin(part)].reset_index(drop=True) for part in (chosen, [test]))


def draw(table, size, seed):
    """Return training and test lines of one draw of documents."""
    order = np.random.default_rng(seed).permutation(sorted(table["doc_id"].unique()))
    test, pool = order[-TEST_DOCUMENTS:], list(order[:-TEST_DOCUMENTS])
    held = table.groupby("doc_id")["label"].nunique()
    pool.insert(0, pool.pop(next(i for i, name in enumerate(pool) if held[name] == len(LABELS))))
    chosen = pool[:size] if size != ALL else pool
    return tuple(table[table["doc_id"].isin(part)].reset_index(drop=True) for part in (chosen, test))


def train_and_score(unit, folders, system, size, seed):
    """Train one system on one draw."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from skol_rnn import LabelSet, evaluate_labels

    labels = LabelSet(LABELS)
    drawn = draw_volumes if unit.name == "volumes" else draw
    training, unseen = drawn(read_lines(folders), size, seed)
    model = tasks.SYSTEMS[system]()
    if system in tasks.OURS:
        model.parameters["important"] = IMPORTANT
    if system in tasks.OURS and system != INSTANT:
        import keras  # noqa: F401  # so that the import does not count as training time
    started = time.monotonic()
    model.fit(training, labels, seed)
    trained = time.monotonic()
    predicted = model.predict(unseen.drop(columns="label"))
    done = time.monotonic()
    scores = evaluate_labels(labels.encode(unseen["label"]), predicted, labels, important=IMPORTANT)
    return {
        "system": system,
        unit.name: size,
        "draw": seed,
        "number": int(
            (training["doc_id"].map(tasks.volume_of) if unit.name == "volumes" else training["doc_id"]).nunique()
        ),
        "lines": len(training),
        "rare_lines": int((training["label"] == IMPORTANT[0]).sum()),
        "f1": dict(zip(LABELS, scores.f1.tolist(), strict=True)),
        "important_f1": scores.important_f1,
        "train_seconds": trained - started,
        "predict_seconds": done - trained,
    }


def run_all(unit, folders, systems, sizes, draws, file):
    """Run the trainings that the file does not hold yet, one after the other, each in its own process."""
    report = {"times": TIMES, "runs": [], **(json.loads(file.read_text()) if file.exists() else {})}
    runs = report["runs"]
    done = {(run["system"], run[unit.name], run["draw"]) for run in runs}
    todo = [(s, n, d) for d in range(draws) for n in sizes for s in systems if (s, n, d) not in done]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for number, (system, size, seed) in enumerate(todo, 1):
            result = pool.submit(train_and_score, unit, folders, system, size, seed).result()
            runs.append(result)
            file.write_text(json.dumps(report, indent=1) + "\n")
            print(
                f"{number}/{len(todo)}  {system}, {name_of(size)} {unit.name}, draw {seed}: "
                f"{result['important_f1']:.3f} in {result['train_seconds']:.0f} s",
                flush=True,
            )
    return report


def by_size(unit, runs, value):
    """Group a value of the runs: system -> size -> one value for each draw."""
    grouped = defaultdict(lambda: defaultdict(list))
    for run in sorted(runs, key=lambda r: r["draw"]):
        grouped[run["system"]][run[unit.name]].append(value(run))
    return grouped


def table_of(unit, runs, value, digits=3):
    """Build a table with a row for each system and a column for each size."""
    grouped = by_size(unit, runs, value)
    sizes = [n for n in unit.sizes if any(run[unit.name] == n for run in runs)]
    lines = ["| System | " + " | ".join(name_of(n) for n in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for system in unit.systems:
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


def gaps(unit, runs):
    """Compare our system with the best other one, by size."""
    grouped, lines = by_size(unit, runs, lambda run: run["important_f1"]), []
    for size in unit.sizes:
        others = {s: np.mean(found[size]) for s, found in grouped.items() if s not in tasks.OURS and found[size]}
        if others and grouped[unit.ours][size]:
            best = max(others, key=others.get)
            gap = np.mean(grouped[unit.ours][size]) - others[best]
            slowest = max(r["train_seconds"] for r in runs if r["system"] == unit.ours and r[unit.name] == size)
            lines.append(f"| {name_of(size)} | {best} | {others[best]:.3f} | {gap:+.3f} | {slowest:.0f} |")
    return lines


def training_sets(unit, runs):
    """Build the table of the sizes of the training sets."""
    pool = by_size(unit, runs, lambda run: (run["lines"], run["rare_lines"]))[unit.ours]
    rows = {n: np.mean(pool[n], axis=0) for n in unit.sizes if pool.get(n)}
    lines = [f"| {unit.name.capitalize()} | Lines | Nomenclature lines |", "|---|---|---|"]
    return [*lines, *(f"| {name_of(n)} | {found[0]:,.0f} | {found[1]:.0f} |" for n, found in rows.items())]


def heading(unit, runs, figure, times):
    """Build the first part of the page: how the draws were made, the figure and the scores."""
    draws = len({run["draw"] for run in runs})
    options = f"--json docs/{figure.stem}.json --markdown docs/{figure.stem}.md"
    if unit.name == "volumes":
        options = f"--unit volumes --documents TRAIN DEV --draws {draws} {options}"
        how = (
            f"Each of {draws} draws tests on another volume and trains on the first 1, 2, 4, ... of the "
            f"others in a random order. The network is `{unit.ours}`, the preset, to save time."
        )
    else:
        options = f"--documents DEV {options}"
        how = (
            f"Each of {draws} draws shuffles the documents of `dev/`, tests on the last {TEST_DOCUMENTS} and trains on the "
            "first 1, 2, 4, ... of the others. The first document of a draw holds every label. All systems run with their "
            "defaults."
        )
    return [
        f"# Learning curve: how many {unit.name} must be annotated?",
        "",
        f"Generated by `python benchmarks/learning_curve.py {options}`; all results are in `{figure.stem}.json`.",
        "",
        f"{how} Cells show the mean over draws ± half their range. {times}",
        "",
        f"![Important F1 by number of training {unit.name}]({figure.name})",
        "",
        "## Important F1",
        "",
        *table_of(unit, runs, lambda run: run["important_f1"]),
        "",
        f"| {unit.name.capitalize()} | Best other system | Its F1 | {unit.ours} ahead by | Longest {unit.ours} training, s |",
        "|---|---|---|---|---|",
        *gaps(unit, runs),
        "",
    ]


def advice(unit, runs):
    """Build the part that says how much must be annotated."""
    if unit.name == "volumes":
        return ["## What does one more volume bring?", "", *training_sets(unit, runs), "", prediction(unit, runs)]
    return [
        "## How many documents must I annotate?",
        "",
        *training_sets(unit, runs),
        "",
        "Find the F1 that you need in the first table, and the number of documents above it. What counts is the number "
        "of lines with the rare label, not of documents: annotate documents that hold many.",
    ]


def prediction(unit, runs):
    """Extrapolate: F1 grows by much the same with each doubling, a line through the sizes from two on."""
    found = by_size(unit, runs, lambda run: run["important_f1"])[unit.ours]
    every = max(run["number"] for run in runs)
    sizes = [n for n in unit.sizes if found[n] and n != 1]
    doublings = np.log2([n or every for n in sizes])
    slopes = [np.polyfit(doublings, [found[n][i] for n in sizes], 1)[0] for i in range(len(found[ALL]))]
    slope, last = np.mean(slopes), np.mean(found[ALL])
    more = [slope * np.log2((every + k) / every) for k in (1, every)]
    return (
        f"From two volumes on, {unit.ours} gains {slope:+.3f} F1 with each doubling of the volumes ({min(slopes):+.3f} to "
        f"{max(slopes):+.3f} by draw). If that goes on, one more volume on top of {every} brings {more[0]:+.3f}, to about "
        f"{last + more[0]:.3f}, and {every} more bring {more[1]:+.3f}. Draws differ more than sizes do, because volumes "
        "differ in how hard they are and in how they were annotated: compare sizes within a draw."
    )


def page(unit, runs, figure, times):
    """Build the page."""
    tables = {
        "Nomenclature F1": table_of(unit, runs, lambda run: run["f1"]["Nomenclature"]),
        "Description F1": table_of(unit, runs, lambda run: run["f1"]["Description"]),
        "Training time in seconds": table_of(unit, runs, lambda run: run["train_seconds"], 1),
    }
    last = [line for title, table in tables.items() for line in (f"## {title}", "", *table, "")]
    return "\n".join([*heading(unit, runs, figure, times), *advice(unit, runs), "", *last])


def plot(unit, runs, file):
    """Plot the important F1 of some systems by size."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "skol_rnn"
    grouped = by_size(unit, runs, lambda run: run["important_f1"])
    lines = by_size(unit, runs, lambda run: run["lines"])
    figure, axes = plt.subplots(figsize=(7, 4.2))
    sizes = [n for n in unit.sizes if grouped[unit.ours][n]]
    for system in unit.plotted:
        found = [grouped[system][n] for n in sizes]
        if not all(found):
            continue
        x = np.arange(len(sizes))
        mean = np.array([np.mean(f) for f in found])
        (line,) = axes.plot(x, mean, marker="o", linewidth=2.4 if system == unit.ours else 1.2, label=system)
        low, high = (np.array([limit(f) for f in found]) for limit in (min, max))
        if system in (unit.ours, "CRF"):
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    names = [f"{name_of(n)}\n{np.mean(lines[unit.ours][n]):,.0f}" for n in sizes]
    axes.set_xticks(np.arange(len(sizes)), names)
    lowest = 0 if unit.name == "documents" else 0.5
    axes.set(xlabel=f"training {unit.name} (below: lines)", ylabel="important F1", ylim=(lowest, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main():
    """Run the trainings and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unit", choices=UNITS, default="documents")
    parser.add_argument("--documents", type=Path, nargs="+", required=True, help="folders")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--systems", nargs="*", choices=list(tasks.SYSTEMS))
    parser.add_argument("--sizes", nargs="*", type=int)
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    unit = UNITS[arguments.unit]
    systems, sizes = arguments.systems or unit.systems, arguments.sizes or unit.sizes
    report = run_all(unit, arguments.documents, systems, sizes, arguments.draws, arguments.json)
    runs = report["runs"]
    if arguments.markdown:
        figure = arguments.markdown.with_suffix(".svg")
        plot(unit, runs, figure)
        arguments.markdown.write_text(page(unit, runs, figure, report["times"]))


if __name__ == "__main__":
    main()
