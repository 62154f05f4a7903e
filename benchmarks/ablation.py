"""What is each part of the default worth: the same training without it, on dev and on held-out volumes.

One member, trained once on all documents of the fold: a part is worth the same there as in the default, which judges one
network and then trains two members, and the training takes a third of the time.  Resumable, as quality.py, whose
machinery it is.

    python benchmarks/ablation.py --train TRAIN --dev DEV --json docs/ablation.json --markdown docs/ablation.md
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import peers
import quality

TASK = quality.TASKS[0]
WHOLE = "one member"
GAPS = ("blank lines before", "blank lines after", "page break before", "page break after", "lines since page break")


class Ablated(peers.Ours):
    """Ours, without hashed features of some names, without some layout numbers, or with other parameters."""

    def __init__(self, without=None, without_layout=(), **parameters):
        super().__init__(**{"members": 1, "validation_fraction": 0.0, **parameters})
        self.without, self.without_layout = without, without_layout

    def fit(self, table, labels, seed):
        """Train in a process of its own, whose features are the poorer ones."""
        from skol_rnn.features.crc import crc_of
        from skol_rnn.features.lines.names import line_features

        from skol_rnn.features.lines import hashed, layout

        if self.without:
            left_out = re.compile(self.without)

            def kept(texts, encode):
                names = [[name for name in line_features(text) if not left_out.match(name)] for text in texts]
                lines = np.repeat(np.arange(len(texts)), [len(of_line) for of_line in names])
                return lines, encode(crc_of([name for of_line in names for name in of_line])[0])

            hashed.line_codes = kept
        if self.without_layout:
            whole = layout.layout_numbers
            columns = [layout.LAYOUT_NAMES.index(name) for name in self.without_layout or layout.LAYOUT_NAMES]

            def emptied(table):
                numbers = whole(table)
                numbers[:, columns] = 0.0
                return numbers

            layout.ScaledLayout.__init__.__defaults__ = (emptied,)  # its default was bound when it was defined
        super().fit(table, labels, seed)


def _everything():
    from skol_rnn.features.lines.layout import LAYOUT_NAMES

    return LAYOUT_NAMES


PARTS = {
    "the default: two members": lambda: Ablated(members=2),
    WHOLE: Ablated,
    "without the tenth that is held out to judge": lambda: Ablated(validation_fraction=0.1, refit=False),
    "without word pairs": lambda: Ablated(without="b="),
    "without affixes": lambda: Ablated(without="[peE]="),
    "without shapes": lambda: Ablated(without=r"(?:\d?s|h|t)="),
    "without leading and last tokens": lambda: Ablated(without=r"(?:\ds?|h|l|t)="),
    "without layout numbers": lambda: Ablated(without_layout=_everything()),
    "without blank lines and page breaks": lambda: Ablated(without_layout=GAPS),
    "without context (window of one line)": lambda: Ablated(window_size=1, batch_size=960),
    "without overlap (hop of a window)": lambda: Ablated(stride=15, prediction_stride=15, batch_size=21),
    "window of 31 lines": lambda: Ablated(window_size=31, stride=10, batch_size=32),
    "one BiLSTM layer": lambda: Ablated(num_layers=1),
    "without feature dropout": lambda: Ablated(feature_dropout=0.0),
    "dropout of 0.3 after each layer too": lambda: Ablated(dropout=0.3),
    "smoothed class weights": lambda: Ablated(class_weights="smoothed"),
    "label smoothing 0.05": lambda: Ablated(label_smoothing=0.05),
}
quality.SYSTEMS.update(PARTS)


def train_and_score(*what):
    """Train one part on one fold; here, so that a worker that imports this module knows the parts."""
    return quality.train_and_score(*what)


def page(report, command):
    """Lay out the table: a row for each part, a column for each fold."""
    folds = sorted({run["fold"] for run in report["runs"]}, key=lambda fold: (fold != "dev", fold))
    scores = {
        part: {fold: _score([r for r in report["runs"] if (r["system"], r["fold"]) == (part, fold)]) for fold in folds}
        for part in PARTS
    }
    lines = [
        "# What each part of the default is worth",
        "",
        f"Important F1, made by `{command}`; counts in the JSON file beside this page. A difference below about 0.006 is "
        "inside the spread of seeds of one fold.",
        "",
        f"| | {' | '.join(folds)} | mean | against {WHOLE} |",
        "|---" * (len(folds) + 3) + "|",
    ]
    whole = np.mean([scores[WHOLE][fold] for fold in folds])
    for part, found in scores.items():
        if all(np.isfinite(list(found.values()))):
            mean = np.mean(list(found.values()))
            cells = " | ".join(f"{found[fold]:.3f}" for fold in folds)
            lines.append(f"| {part} | {cells} | **{mean:.3f}** | {mean - whole:+.3f} |")
    return "\n".join([*lines, ""])


def _score(runs):
    return np.mean([quality.mean_f1(quality.counts_of([r]), TASK, r["labels"]) for r in runs]) if runs else np.nan


def main():
    """Run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True, help="folder of annotated documents to train on")
    parser.add_argument("--dev", required=True, help="folder of annotated documents to score")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--folds", nargs="+", default=["dev", "Mycotaxon-056", "Persoonia-016"])
    parser.add_argument("--systems", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.predictions = None
    todo = [(s, TASK, fold, seed) for seed in arguments.seeds for fold in arguments.folds for s in arguments.systems]
    report = quality.run(arguments, todo, train_and_score)
    if arguments.markdown:
        command = " ".join(["python", "benchmarks/ablation.py", *sys.argv[1:]])
        arguments.markdown.write_text(page(report, command), encoding="utf-8")


if __name__ == "__main__":
    main()
