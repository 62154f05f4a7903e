"""Compare class weights, losses and sampling for rare labels under three decisions.

One network is trained for each row and seed on the same documents, and every decision is scored on the same
probabilities.  The offsets of "tuned" come from held-out training documents, never from the documents scored.  Each
finished training is written to the JSON file at once, so a stopped run can be resumed.

    python benchmarks/imbalance.py --train TRAIN --dev DEV --json docs/imbalance.json --markdown docs/imbalance.md
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

import skol_rnn
from skol_rnn.frameworks import installed_versions
from skol_rnn.labels import NO_LABEL

IMPORTANT = ("Nomenclature", "Description")
LABELS = (*IMPORTANT, "Misc")
NETWORK = {
    "window_size": 15,
    "stride": 8,
    "hidden_size": 64,
    "epochs": 4,
    "ensemble_size": 1,
    "refit": False,
    "dropout": 0.3,
    "patience": 4,
    "validation_fraction": 0.15,
    "calibration": "bias",
    "important": IMPORTANT,
    "verbosity": 0,
}
ROWS = {
    "no weights": {"class_weights": None},
    # Proportional to each other, and equal once rescaled to a mean of 1.
    "inverse = balanced": {"class_weights": "inverse"},
    "smoothed 0.25": {"class_weights": "smoothed:alpha=0.25"},
    "smoothed 0.5": {"class_weights": "smoothed:alpha=0.5"},
    "smoothed 0.75": {"class_weights": "smoothed:alpha=0.75"},
    "effective": {"class_weights": "effective:beta=0.9999"},
    "log": {"class_weights": "log"},
    # Weights beyond the ratio of the counts are capped at it, so 100 / 10 / 0.1 and "aggressive" equal "inverse".
    "focal": {"loss": "focal", "class_weights": None},
    "class-balanced focal": {"loss": "class_balanced_focal:beta=0.9999"},
    "soft F1": {"loss": "soft_f1", "focal_labels": IMPORTANT},
    "logit-adjusted": {"loss": "logit_adjusted"},
    # Every training volume holds the label, so only volumes rich in it are copied.
    "oversampling": {
        "class_weights": None,
        "sampling": {"name": "oversample", "rare_label": "Nomenclature", "min_count": 1000, "replication_factor": 2},
    },
    "stratified": {
        "class_weights": None,
        "sampling": {"name": "stratify", "rare_label": "Nomenclature", "min_count": 500, "fraction": 0.5},
    },
    "rare windows": {"class_weights": None, "sampling": {"name": "rare_windows", "rare_label": "Nomenclature"}},
}
DECISIONS = ("argmax", "corrected", "tuned")


def train_and_score(row, seed, train, dev, threads):
    """Train one row with one seed; return the results for the tables."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    from skol_rnn import RNNSkolModel, read_documents

    documents = read_documents(dev)
    started = time.monotonic()
    model = RNNSkolModel(**NETWORK, **ROWS[row], random_state=seed)
    model.fit(read_documents(train), labels=LABELS, other="Misc")
    seconds = time.monotonic() - started
    true = np.array([LABELS.index(label) if label in LABELS else 2 for label in documents.table["label"]])
    probabilities = {"raw": model.predict_proba(documents, raw=True), "posterior": model.predict_proba(documents)}
    return {
        "row": row,
        "seed": seed,
        "train_seconds": seconds,
        "epoch_scores": model.history_["val_important_f1"],
        "held_out": model.validation_documents_,
        "weights": dict(zip(model.labels_, model.weights_.tolist(), strict=True)),
        "offsets": dict(zip(model.labels_, model.offsets_.tolist(), strict=True)),
        "decisions": {name: scored(e) for name, e in model.compare_decisions(documents).items() if name in DECISIONS},
        "mean_probability": {
            name: dict(zip(model.labels_, mean_shares(p, true)[0].tolist(), strict=True))
            for name, p in probabilities.items()
        },
        "true_share": dict(zip(model.labels_, mean_shares(probabilities["raw"], true)[1].tolist(), strict=True)),
        "calibration_error": {name: calibration_error(p, true) for name, p in probabilities.items()},
    }


def calibration_error(probabilities, true, bins=15):
    """Compute the expected calibration error of the most probable label."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    top = np.argmax(probabilities, axis=1)
    if not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"bins must be a whole number of at least 1, but is {bins!r}.")
    if not len(true):
        return float("nan")
    probability = probabilities[np.arange(len(true)), top]
    place = np.clip(np.ceil(probability * bins).astype(np.int64) - 1, 0, bins - 1)
    # The sum of a bin is its distance from the frequency times its rows.
    return float(np.abs(np.bincount(place, probability - (top == true), bins)).sum() / len(true))


def mean_shares(probabilities, true):
    """Compute the mean probability of each label and its true share."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    k = probabilities.shape[1]
    if not len(true):
        return np.full(k, np.nan), np.full(k, np.nan)
    return probabilities.mean(axis=0), np.bincount(true, minlength=k) / len(true)


def scored(evaluation):
    """Return the scores of an evaluation that the tables show."""
    by_label = zip(evaluation.labels, evaluation.f1, evaluation.precision, evaluation.recall, strict=True)
    return {
        "f1": {name: float(f1) for name, f1, _, _ in by_label},
        "precision": dict(zip(evaluation.labels, evaluation.precision.tolist(), strict=True)),
        "recall": dict(zip(evaluation.labels, evaluation.recall.tolist(), strict=True)),
        "predicted_to_true": dict(
            zip(evaluation.labels, (evaluation.predicted / np.maximum(evaluation.support, 1)).tolist(), strict=True)
        ),
        "important_f1": evaluation.important_f1,
        "macro_f1": evaluation.macro_f1,
        "accuracy": evaluation.accuracy,
    }


def run(arguments):
    """Run the trainings that the JSON file does not hold yet."""
    report = {"runs": []}
    if arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
    settings = {"network": NETWORK, "rows": ROWS, "train": Path(arguments.train).name, "dev": Path(arguments.dev).name}
    settings = json.loads(json.dumps(settings))
    done = {(r["row"], r["seed"]) for r in report["runs"]}
    todo = [(row, seed) for seed in arguments.seeds for row in ROWS if (row, seed) not in done]
    if todo:
        if report["runs"] and report["settings"] != settings:
            sys.exit(f"{arguments.json} holds runs with other settings: choose another file, or delete it.")
        report["settings"] = settings
        libraries = installed_versions("tensorflow", "keras", "numpy")
        report["versions"] = {**libraries, "skol_rnn": skol_rnn.__version__}
    with ProcessPoolExecutor(arguments.jobs, max_tasks_per_child=1) as pool:
        waiting = [
            pool.submit(train_and_score, row, seed, arguments.train, arguments.dev, arguments.threads)
            for row, seed in todo
        ]
        for number, future in enumerate(as_completed(waiting), 1):
            result = future.result()
            report["runs"].append(result)
            fresh = arguments.json.with_suffix(".part")
            fresh.write_text(json.dumps(report, indent=1), encoding="utf-8")
            fresh.replace(arguments.json)
            scores = "  ".join(f"{name} {result['decisions'][name]['important_f1']:.4f}" for name in DECISIONS)
            print(f"{number}/{len(todo)} {result['row']} seed {result['seed']}: {scores}", flush=True)
    return report


def mean_spread(values):
    """Format the mean and half the range over seeds."""
    values = np.array(values)
    return f"{values.mean():.3f} ± {(values.max() - values.min()) / 2:.3f}"


def runs_by_row(report):
    """Group the runs by row, in the order of the settings."""
    by_row = {row: [r for r in report["runs"] if r["row"] == row] for row in report["settings"]["rows"]}
    return {row: runs for row, runs in by_row.items() if runs}


def figures(runs, decision, key):
    """Return one score of each seed."""
    return [r["decisions"][decision][key] for r in runs]


def summary_table(by_row):
    """Build the table of important F1."""
    lines = ["| Training | " + " | ".join(DECISIONS) + " |", "|---" * (len(DECISIONS) + 1) + "|"]
    for row, runs in by_row.items():
        means = " | ".join(mean_spread(figures(runs, decision, "important_f1")) for decision in DECISIONS)
        lines.append(f"| {row} | {means} |")
    return lines


def class_table(by_row):
    """Build the table of scores by class."""
    lines = [
        "| Training | Decision | Nomenclature F1 | Description F1 | Misc F1 | accuracy "
        "| Nomenclature precision / recall | predicted : true |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row, runs in by_row.items():
        for decision in DECISIONS:
            f1 = " | ".join(mean_spread([f[name] for f in figures(runs, decision, "f1")]) for name in LABELS)
            precision, recall, ratio = (
                np.mean([f["Nomenclature"] for f in figures(runs, decision, key)])
                for key in ("precision", "recall", "predicted_to_true")
            )
            accuracy = mean_spread(figures(runs, decision, "accuracy"))
            balance = f"{precision:.3f} / {recall:.3f}"
            lines.append(f"| {row} | {decision} | {f1} | {accuracy} | {balance} | {ratio:.2f} |")
    return lines


def calibration_table(by_row):
    """Build the table of mean probabilities and calibration errors."""
    lines = [
        "| Training | Mean probability of Nomenclature / Description / Misc, raw | corrected "
        "| Largest distance from the true share, corrected: mean of seeds, worst seed "
        "| Calibration error, raw | corrected |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [calibration_row(row, runs) for row, runs in by_row.items()]


def promises(by_row):
    """Summarise what the decisions gain."""
    gains = {
        row: np.subtract(figures(runs, "tuned", "important_f1"), figures(runs, "argmax", "important_f1"))
        for row, runs in by_row.items()
    }
    worst = min(gains, key=lambda row: gains[row].mean())
    lines = [
        f"- Important F1, tuned minus argmax: the smallest mean gain is {gains[worst].mean():+.4f} ({worst}), the smallest "
        f"gain of a single training {min(g.min() for g in gains.values()):+.4f}."
    ]
    for row in (row for row in gains if row.startswith("100 / 10 / 0.1")):
        lines.append(f"- {row}: tuned gains {', '.join(f'{gain:+.3f}' for gain in gains[row])} (one value per seed).")
    distances = {row: distance_of_shares(runs) for row, runs in by_row.items()}
    over = [
        f"{row} ({mean:.1f} points, worst seed {worst:.1f})" for row, (mean, worst) in distances.items() if worst > 2
    ]
    lines.append(
        "- Rows whose mean corrected probabilities are more than 2 points from the true share: "
        + (", ".join(over) or "none")
        + "."
    )
    return lines


def distance_of_shares(runs):
    """Return the largest distance of a mean probability from the true share, in points: mean of seeds, worst seed."""
    distances = np.array([[r["mean_probability"]["posterior"][x] - r["true_share"][x] for x in LABELS] for r in runs])
    return 100 * np.abs(distances.mean(axis=0)).max(), 100 * np.abs(distances).max()


def calibration_row(row, runs):
    """Build one row of the table of probabilities."""
    shares = {}
    for kind in ("raw", "posterior"):
        means = [np.mean([r["mean_probability"][kind][label] for r in runs]) for label in LABELS]
        shares[kind] = " / ".join(f"{mean:.1%}" for mean in means)
    mean, worst = distance_of_shares(runs)
    errors = [f"{np.mean([r['calibration_error'][kind] for r in runs]):.3f}" for kind in ("raw", "posterior")]
    return (
        f"| {row} | {shares['raw']} | {shares['posterior']} | {mean:.1f}, {worst:.1f} points | {' | '.join(errors)} |"
    )


def markdown(report, command):
    """Build the page."""
    by_row = runs_by_row(report)
    seeds = sorted({r["seed"] for r in report["runs"]})
    shares = report["runs"][0]["true_share"]
    network = ", ".join(f"{k}={v!r}" for k, v in report["settings"]["network"].items() if k != "verbosity")
    minutes = sum(r["train_seconds"] for r in report["runs"]) / 60
    return "\n".join(
        [
            "# Weights, losses and sampling under three decisions",
            "",
            f"Generated by `{command}`; all results are in `imbalance.json`. Measured with skol_rnn "
            f"{report['versions']['skol_rnn']}; the settings below have the parameter names of that version.",
            "",
            f"Mean ± half the range over seeds {', '.join(map(str, seeds))}. {len(report['runs'])} trainings took "
            f"{minutes:.0f} minutes in total, with one thread each. Network: {network}.",
            "",
            "All scores are on unseen documents, where the true shares are "
            + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
            + '. The offsets of "tuned" come from held-out training documents, which also choose the epoch.'
            + report.get("note", ""),
            "",
            "## Important F1",
            "",
            *summary_table(by_row),
            "",
            *promises(by_row),
            "",
            "## By class",
            "",
            *class_table(by_row),
            "",
            "## Probabilities",
            "",
            "Mean probabilities and expected calibration error (15 bins, most probable label), before and after "
            "correction. The distance is that of the worst label.",
            "",
            *calibration_table(by_row),
            "",
        ]
    )


def main():
    """Run the trainings and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True, help="folder of annotated documents to train on")
    parser.add_argument("--dev", required=True, help="folder of annotated documents to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings in parallel")
    parser.add_argument("--threads", type=int, default=1, help="threads per training")
    arguments = parser.parse_args()
    report = run(arguments)
    command = (
        "python benchmarks/imbalance.py --train TRAIN --dev DEV --json docs/imbalance.json --markdown docs/imbalance.md"
    )
    arguments.markdown.write_text(markdown(report, command), encoding="utf-8")


if __name__ == "__main__":
    main()
