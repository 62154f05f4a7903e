"""Lay out what quality.py measured: tables by split, intervals against the best peer, F1 against training time."""

from __future__ import annotations

import numpy as np
import quality


def write(report, command, path):
    """Write the page, and the picture beside it."""
    parts = [
        "# Quality on documents that were not trained on",
        "",
        f"Made by `{command}`; the counts of every training are in the JSON file beside this page. Versions: "
        + ", ".join(f"{name} {number}" for name, number in report["versions"].items())
        + ".",
        "",
        "F1 is pooled over the lines of a split's documents. Where there is a spread, it is half the range of the seeds; "
        "systems without chance are trained once. Seconds on dev are those of the first seed, one training after the other: "
        "read them as ratios. Where the errors are, how much of them is the gold, and where this stands against what was "
        "wanted: [error_analysis.md](error_analysis.md). What each part of the default is worth: [ablation.md](ablation.md). "
        "What was tried for better: [what_paid.md](what_paid.md).",
        "",
    ]
    for task in quality.TASKS:
        runs = [r for r in report["runs"] if r["task"] == task]
        if runs:
            parts += task_part(task, runs)
    picture = path.with_suffix(".svg")
    if draw(report, picture):
        parts += [f"![Mean F1 on dev against training seconds, three labels]({picture.name})", ""]
    path.write_text("\n".join(parts), encoding="utf-8")


def task_part(task, runs):
    """Write the tables of one task."""
    figure = "important F1" if task == quality.TASKS[0] else "macro F1"
    parts = [f"## {task.capitalize()}: {', '.join(runs[0]['labels'])}", "", f"The figure is the {figure}.", ""]
    dev, volumes = ([r for r in runs if (r["fold"] == "dev") == is_dev] for is_dev in (True, False))
    if dev:
        parts += ["### Trained on train/, scored on dev/", "", *split_table(task, dev), ""]
    if volumes:
        parts += ["### Each volume held out in turn", "", *volume_table(task, volumes), ""]
    return parts


def by_system(runs):
    """Group runs, systems in the order of the benchmark."""
    grouped = {system: [r for r in runs if r["system"] == system] for system in quality.SYSTEMS}
    return {system: own for system, own in grouped.items() if own}


def scores_of(runs, task):
    """Mean F1 of each seed: pooled over one split's documents."""
    return [seed_score([r for r in runs if r["seed"] == seed], task) for seed in sorted({r["seed"] for r in runs})]


def seed_score(runs, task):
    """Mean F1 of the runs of one seed: the mean over folds."""
    return float(np.mean([quality.mean_f1(quality.counts_of([r]), task, r["labels"]) for r in runs]))


def spread(values):
    """Write a mean, and half the range where there are several."""
    values = np.array(values)
    half = f" ± {(values.max() - values.min()) / 2:.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{half}"


def split_table(task, runs):
    """Rows by system: the figure, the F1 of each important label, seconds, size, and ours against the best peer."""
    names = quality.important_of(task, runs[0]["labels"]) if task == quality.TASKS[0] else ()
    lines = [
        f"| System | F1 | {''.join(f'{name} | ' for name in names)}training s | lines/s predicted | MB |",
        "|---" * (5 + len(names)) + "|",
    ]
    for system, own in by_system(runs).items():
        classes = "".join(f"{class_f1(own, name):.3f} | " for name in names)
        first = timed(own)
        seconds, speed, size = first["train_seconds"], first["lines"] / first["predict_seconds"], first["bytes"] / 1e6
        lines.append(
            f"| {system} | **{spread(scores_of(own, task))}** | {classes}{seconds:.0f} | {speed:,.0f} | {size:.1f} |"
        )
    return [*lines, "", *against_best(task, runs)]


def timed(runs):
    """Choose the run whose seconds count: the first seed's, for others may have been trained beside each other."""
    return min(runs, key=lambda r: r["seed"])


def class_f1(runs, name):
    """Mean over runs of one label's F1."""
    found = []
    for r in runs:
        support, predicted, right = quality.counts_of([r]).sum(axis=0)[:, r["labels"].index(name)]
        found.append(2 * right / max(support + predicted, 1))
    return float(np.mean(found))


def volume_table(task, runs):
    """Rows by system, columns by volume, means of the seeds, and half their range where a volume had several."""
    volumes = sorted({r["fold"] for r in runs})
    lines = [f"| System | {' | '.join(volumes)} | mean | worst |", "|---" * (len(volumes) + 3) + "|"]
    for system, own in by_system(runs).items():
        by_volume = [scores_of([r for r in own if r["fold"] == v], task) for v in volumes]
        cells = " | ".join(spread(scores) if scores else "" for scores in by_volume)
        measured = [np.mean(scores) for scores in by_volume if scores]
        lines.append(f"| {system} | {cells} | **{np.mean(measured):.3f}** | {min(measured):.3f} |")
    return [*lines, "", *against_best(task, runs)]


def against_best(task, runs):
    """Say how far ours are ahead of the best peer, with an interval by paired bootstrap over documents."""
    grouped = by_system(runs)
    peers = {s: np.mean(scores_of(own, task)) for s, own in grouped.items() if s not in quality.OURS}
    told = []
    for system in quality.OURS:
        if system not in grouped or not peers:
            continue
        best = max(peers, key=peers.get)
        ours, other = (first_seed(grouped[s]) for s in (system, best))
        shared = sorted(set(ours) & set(other))
        labels = grouped[system][0]["labels"]
        pair = [np.array([counts[name] for name in shared]) for counts in (ours, other)]
        difference = quality.mean_f1(pair[0], task, labels) - quality.mean_f1(pair[1], task, labels)
        low, high = quality.paired_bootstrap(*pair, task, labels)
        told.append(
            f"{system} against the best peer, {best}: {difference:+.3f} (95 % interval {low:+.3f} to {high:+.3f}, paired "
            f"bootstrap over {len(shared)} documents, first seed, lines of all folds pooled)."
        )
    return told


def first_seed(runs):
    """Counts by document of the first seed."""
    seed = min(r["seed"] for r in runs)
    return {f"{r['fold']}/{name}": c for r in runs if r["seed"] == seed for name, c in r["documents"].items()}


def draw(report, path):
    """Draw mean F1 on dev against training seconds; return whether there was something to draw."""
    task = quality.TASKS[0]
    runs = [r for r in report["runs"] if r["task"] == task and r["fold"] == "dev" and r["system"] != "majority"]
    if not runs:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (system, own) in enumerate(by_system(runs).items(), 1):
        ours = system in quality.OURS
        seconds, score = timed(own)["train_seconds"], np.mean(scores_of(own, task))
        axes.plot(seconds, score, "o", color="C3" if ours else "C0", ms=7, label=f"{number}  {system}")
        axes.annotate(str(number), (seconds, score), xytext=(6, 4), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, handlelength=1.0, fontsize=9)
    axes.set(xlabel="training seconds (log)", ylabel="important F1 on dev")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    return True
