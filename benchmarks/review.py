"""F1 after a simulated review of a share of the lines: those that ``skol-rnn review`` chooses against random ones.

Run from the root of the repository, with a pair MODEL=GLOB for each collection; the model must not have seen the files::

    python benchmarks/review.py dev.skol='corpus/dev/*.ann' default-Mycotaxon-054.skol='corpus/*/Mycotaxon-054-*' ...

The reviewer gives the gold label, and with ``--errors 0.05`` another one in 5 % of the lines.  Nothing is trained again.
The second table says how often the interval of ``review status`` holds the true number of unread lines.
"""

from __future__ import annotations

import argparse
import glob
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1)
RANDOM = 5  # draws


def f1(gold, found, k):
    """Return the F1 of a label."""
    right = np.sum((gold == k) & (found == k))
    return 2 * right / max(np.sum(gold == k) + np.sum(found == k), 1)


def answered(gold, rows, errors, labels, rng):
    """Return the labels that a reviewer gives to lines."""
    answers = gold[rows].copy()
    wrong = rng.random(len(rows)) < errors
    answers[wrong] = (answers[wrong] + rng.integers(1, labels, wrong.sum())) % labels
    return answers


def read_collection(model, paths):
    """Return the lines of a collection as if nobody had annotated them, and their gold labels."""
    from skol_rnn import Corpus, load_serving, read_documents
    from skol_rnn.data.inputs import fold_labels, labelled_table
    from skol_rnn.review.start import predicted_lines

    serving = load_serving(model)
    other = "Misc" if "Misc" in serving.labels else serving.majority
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        corpus = read_documents(paths)
    labels = fold_labels(labelled_table(corpus)["label"], serving.predictor.labels, other, "the files")
    gold = serving.predictor.labels.encode([label or other for label in labels])
    plain = Corpus(tuple(replace(document, labels=None, spans=None, sources=()) for document in corpus))
    return predicted_lines(serving, plain, other)[0], gold, serving.predictor.decoder.held_out


def measure(lines, gold, held, important, errors):
    """Return F1 by share for chosen and random lines, and whether intervals of unread lines hold."""
    from skol_rnn.review.estimate import Recalibration, corrected
    from skol_rnn.review.selection import choose, importance, scores

    score = scores(lines, importance(lines, important))
    columns = {name: lines.labels.index(name) for name in important}
    posterior = corrected(lines.probabilities, held, list(columns.values()))
    result = {"lines": len(lines), "chosen": {}, "random": {}, "unread": []}
    for share in SHARES:
        number = round(share * len(lines))
        chosen = choose(lines, score, number, 0, np.zeros(len(lines), bool)) if number else []
        draws = [np.random.default_rng(s).permutation(len(lines))[:number] for s in range(RANDOM)]
        for kind, orders in (("chosen", [np.array(chosen, int)]), ("random", draws)):
            found = []
            for seed, rows in enumerate(orders):
                labels = lines.current.copy()
                labels[rows] = answered(gold, rows, errors, len(lines.labels), np.random.default_rng(seed))
                found.append([f1(gold, labels, k) for k in columns.values()])
            result[kind][share] = dict(zip(columns, np.mean(found, axis=0).tolist(), strict=True))
        if not number:
            continue
        answers = answered(gold, np.array(chosen), errors, len(lines.labels), np.random.default_rng(0))
        unread = np.setdiff1d(np.arange(len(lines)), chosen)
        for p, (name, k) in zip(posterior.T, columns.items(), strict=True):
            again, missed = Recalibration(p[chosen], answers == k), unread[lines.current[unread] != k]
            for what, rows in (("unread", unread), ("missed", missed)):
                plain, truth = float(lines.probabilities[rows, k].sum()), int((gold[rows] == k).sum())
                found = again.counts(p[rows])._asdict()
                result["unread"].append(
                    {"share": share, "label": name, "what": what, "truth": truth, "plain": plain, **found}
                )
    return result


def table(results, label):
    """Return the mean F1 of a label by share, and the least over the collections."""
    rows = ["| Lines read | chosen: mean F1 | least | random: mean F1 | least |", "|---|---|---|---|---|"]
    for share in SHARES:
        cells = []
        for kind in ("chosen", "random"):
            found = [result[kind][share][label] for result in results.values()]
            cells += [f"{np.mean(found):.3f}", f"{min(found):.3f}"]
        rows.append(f"| {share:.0%} | {' | '.join(cells)} |")
    return "\n".join(rows)


def intervals(results):
    """Return, for each label and share, how often the interval holds, and the mean error of the estimates."""
    rows = [
        "| Label | Lines read | Lines | Interval holds | Mean error | Mean error of the plain sum |",
        "|---|---|---|---|---|---|",
    ]
    every = [one for result in results.values() for one in result["unread"]]
    for kind in dict.fromkeys((one["label"], one["what"], one["share"]) for one in every):
        found = [one for one in every if (one["label"], one["what"], one["share"]) == kind]
        held = sum(one["low"] <= one["truth"] <= one["high"] for one in found)
        errors = [
            np.mean([abs(one[k] - one["truth"]) / max(one["truth"], 10) for one in found]) for k in ("value", "plain")
        ]
        rows.append(
            f"| {kind[0]} | {kind[2]:.0%} | {kind[1]} | {held} of {len(found)} | {errors[0]:.0%} | {errors[1]:.0%} |"
        )
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="MODEL=GLOB")
    parser.add_argument("--important", default="Nomenclature,Description")
    parser.add_argument("--errors", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    important = options.important.split(",")
    results = {}
    for pair in options.pairs:
        model, _, pattern = pair.partition("=")
        results[model] = measure(*read_collection(model, sorted(glob.glob(pattern))), important, options.errors)
        shown = {f"{share:.0%}": round(f1s[important[0]], 3) for share, f1s in results[model]["chosen"].items()}
        print(f"{Path(model).name}: {results[model]['lines']:,} lines, {important[0]} {shown}", flush=True)
    for label in important:
        print(f"\n{label}, {len(results)} collections, reviewer errors {options.errors:.0%}\n\n{table(results, label)}")
    print(f"\n{intervals(results)}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
