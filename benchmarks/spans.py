"""Compare skol_rnn with a dictionary and a CRF on the spans of unseen articles, with and without weights and tuning.

A folder holds articles `article<id>.txt`; the file `<folder>.labels.tsv` next to it holds article id, type, start and
end in characters.  Every system labels the same tokens, and its spans are scored by the same functions.  Each finished
training is written to the JSON file at once, so a stopped run can be resumed.

    python benchmarks/spans.py --train ptc/train --dev ptc/dev --json docs/spans_benchmark.json \
        --markdown docs/spans_benchmark.md
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import span_peers

from skol_rnn.frameworks import installed_versions

SYSTEMS = {
    "each line as one span": span_peers.Majority,
    "dictionary of training spans": span_peers.Dictionary,
    "dictionary of training spans, reliable entries": lambda: span_peers.Dictionary(reliable=True),
    "CRF": span_peers.CRF,
    "CRF, offset of O tuned": lambda: span_peers.CRF(tuned=True),
    "skol_rnn, no weights, corrected": lambda: span_peers.Ours(class_weights=None, decision="corrected"),
    "skol_rnn, no weights, tuned": lambda: span_peers.Ours(class_weights=None),
    "skol_rnn, smoothed weights, corrected": lambda: span_peers.Ours(decision="corrected"),
    "skol_rnn, smoothed weights, argmax": lambda: span_peers.Ours(decision="argmax"),
    "skol_rnn, smoothed weights, tuned (default)": span_peers.Ours,
    "skol_rnn, linear chain alone (instant)": lambda: span_peers.Ours(preset="instant"),
}
WITH_VECTORS = {
    "skol_rnn, input embeddings of a pretrained model": {},
    "skol_rnn, layers 2, 4 and 6 of it too": {"vector_layers": (2, 4, 6)},
}
"""Systems that need --vectors, and their parameters."""


def is_seeded(system):
    """Whether a system's results differ by seed."""
    return system.startswith("skol_rnn") or system.endswith("tuned")


def read_articles(folder):
    """Return the token table of a folder and the spans of each article."""
    from skol_rnn import read_documents

    corpus = read_documents(folder, unit="token")
    return corpus.table, {document.doc_id: list(document.spans) for document in corpus}


def character_spans(table, labels):
    """Convert token labels into (start, end, type) for each article."""
    from skol_rnn.data.bio import decode_spans

    spans = {}
    for article, rows in table.groupby("doc_id", sort=False).indices.items():
        tokens = list(zip(table["start"].to_numpy()[rows], table["end"].to_numpy()[rows], strict=True))
        spans[article] = decode_spans(tokens, labels[rows])
    return spans


def sums_by_type(gold, predicted, typed=True):
    """Return the sums of both scores by type: fragment precision and recall, span counts, exact matches."""
    from skol_rnn.evaluation.span_scores import fragment_scores, strict_scores

    exact = {score.name: score.hit for score in strict_scores(gold, predicted).types}
    return {
        score.name: [float(score.found), score.predicted, float(score.hit), score.support, exact.get(score.name, 0)]
        for score in fragment_scores(gold, predicted, typed=typed).types
    }


def fragment_f1(sums):
    """Return the fragment F1, pooled over types."""
    right, predicted, recalled, true, _ = np.sum(list(sums.values()), axis=0)
    precision, recall = right / max(predicted, 1), recalled / max(true, 1)
    return 2 * precision * recall / max(precision + recall, 1e-12)


def strict_f1(sums):
    """Return the strict F1, pooled over types."""
    _, predicted, _, true, exact = np.sum(list(sums.values()), axis=0)
    return 2 * exact / max(predicted + true, 1)


def train_and_score(system, seed, train, dev, vectors=None):
    """Train one system and return the sums of its scores on dev."""
    training, _ = read_articles(train)
    unseen, gold = read_articles(dev)
    model = SYSTEMS[system]() if vectors is None else span_peers.Ours(vectors=str(vectors), **WITH_VECTORS[system])
    began = time.monotonic()
    model.fit(training, seed)
    trained = time.monotonic()
    labels = np.asarray(model.predict(unseen.drop(columns="label")), dtype=object)
    done = time.monotonic()
    predicted = character_spans(unseen, labels)
    return {
        "system": system,
        "seed": seed,
        "by_type": sums_by_type(gold, predicted),
        "without_types": sums_by_type(gold, predicted, typed=False),
        "train_seconds": getattr(model, "seconds", trained - began),
        "predict_seconds": done - trained,
        "tokens": len(unseen),
        "settings": {k: str(v) for k, v in model.model.settings_.items()} if hasattr(model, "model") else {},
    }


def run(arguments):
    """Run the trainings that the JSON file does not hold yet."""
    report = {"runs": []}
    if arguments.json.exists():
        report = json.loads(arguments.json.read_text(encoding="utf-8"))
    done = {(r["system"], r["seed"]) for r in report["runs"]}
    for seed in arguments.seeds:
        for system in arguments.systems:
            if (system, seed) in done or (seed != arguments.seeds[0] and not is_seeded(system)):
                continue
            vectors = arguments.vectors if system in WITH_VECTORS else None
            result = train_and_score(system, seed, arguments.train, arguments.dev, vectors)
            report["versions"] = installed_versions("tensorflow", "keras", "sklearn-crfsuite")
            report["runs"].append(result)
            fresh = arguments.json.with_suffix(".part")
            fresh.write_text(json.dumps(report, indent=1), encoding="utf-8")
            fresh.replace(arguments.json)
            scores = f"fragment F1 {fragment_f1(result['by_type']):.4f}, strict F1 {strict_f1(result['by_type']):.4f}"
            print(f"{system}, seed {seed}: {scores}, {result['train_seconds']:.0f} s", flush=True)
    return report


def spread(values):
    """Format a mean and, for several values, half their range."""
    half = f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{half}"


def page(report, command):
    """Build the page."""
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    rows = []
    by_system = {name: [r for r in report["runs"] if r["system"] == name] for name in (*SYSTEMS, *WITH_VECTORS)}
    by_system = {name: runs for name, runs in by_system.items() if runs}
    for name, runs in by_system.items():
        figures = [
            spread([fragment_f1(r["by_type"]) for r in runs]),
            spread([fragment_f1(r["without_types"]) for r in runs]),
            spread([strict_f1(r["by_type"]) for r in runs]),
            f"{np.median([r['train_seconds'] for r in runs]):.0f}",
            f"{np.median([r['tokens'] / max(r['predict_seconds'], 1e-9) for r in runs]):,.0f}",
            str(len(runs)),
        ]
        rows.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(
        [
            "# Span benchmark on unseen articles",
            "",
            f"Generated by `{command}`. The JSON file of the same run holds the sums of every training. Versions: {versions}."
            + report.get("note", ""),
            "",
            'The fragment F1 gives partial credit for partly found spans; "without types" ignores the type; the strict F1 '
            "needs the right type, start and end. A spread (±) is half the range over seeds; deterministic systems are "
            "trained once.",
            "",
            "| System | fragment F1 | without types | strict F1 | training s | tokens/s predicted | seeds |",
            "|---" * 7 + "|",
            *rows,
            "",
            "## Fragment F1 by type",
            "",
            *type_table(by_system),
            "",
        ]
    )


def type_table(by_system):
    """Build the table of types, the most frequent first, with numbered systems as columns."""
    first = next(iter(by_system.values()))[0]
    names = [name for name in by_system if name not in ("each line as one span",)]
    kinds = sorted(first["by_type"], key=lambda kind: -first["by_type"][kind][3])
    head = "".join(f"{i} | " for i in range(1, len(names) + 1))
    lines = ["; ".join(f"{i}: {name}" for i, name in enumerate(names, 1)) + ".", ""]
    lines += [f"| Type | spans | {head}".rstrip(), "|---" * (2 + len(names)) + "|"]
    for kind in kinds:
        runs = [[fragment_f1({kind: r["by_type"].get(kind, [0] * 5)}) for r in by_system[name]] for name in names]
        values = "".join(f"{np.mean(scores):.3f} | " for scores in runs)
        lines.append(f"| {kind} | {first['by_type'][kind][3]:.0f} | {values}".rstrip())
    return lines


def main():
    """Run the trainings and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=Path, required=True, help="folder of articles to train on")
    parser.add_argument("--dev", type=Path, required=True, help="folder of articles to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=[*SYSTEMS, *WITH_VECTORS])
    parser.add_argument("--vectors", type=Path, help="folder of a pretrained model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.vectors is None and set(arguments.systems) & set(WITH_VECTORS):
        parser.error("systems with pretrained vectors need --vectors FOLDER")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(arguments.threads)
    report = run(arguments)
    if arguments.markdown:
        command = " ".join(["python", "benchmarks/spans.py", *sys.argv[1:]])
        arguments.markdown.write_text(page(report, command), encoding="utf-8")


if __name__ == "__main__":
    main()
