"""Count the errors of a system by volume, pair of labels and kind of line, and show examples.

Reads the predictions that quality.py saves.

    python benchmarks/errors.py PREDICTIONS/*.csv --show 5
"""

from __future__ import annotations

import argparse
import re

import numpy as np
import pandas as pd

KINDS = (
    "first line of a block",
    "key or numbered",
    "list of names",
    "running head",
    "garbled by OCR",
    "continuation",
)
_KEY = re.compile(r"^\s*(?:\d+[a-z]?\s*[.):'’*]|\d+\s*\(\d+\)|[-–]\s)|\.{4,}\s*\S+\s*$")
_NAMES = re.compile(r"(?:\b[A-Z][a-z]+\b.*?[,;].*){3,}")
_LETTER = re.compile(r"[^\W\d_]")


def kind_of_lines(table):
    """Return the kind of each line: the first one that matches."""
    value, label = table["value"].astype(str), table["label"]
    same_document = table["doc_id"] == table["doc_id"].shift()
    first = ~((label == label.shift()) & same_document)
    repeated = value.str.replace(r"[\d\W]+", "", regex=True).str.casefold()
    head = repeated.groupby([table["doc_id"], repeated]).transform("size").ge(4) & repeated.str.len().between(4, 60)
    letters = value.map(lambda text: len(_LETTER.findall(text)))
    garbled = (letters < 0.5 * value.str.replace(" ", "").str.len()) & ~value.str.contains(r"\d{3}")
    conditions = [first, value.str.contains(_KEY), value.str.contains(_NAMES), head, garbled]
    return pd.Series(np.select(conditions, KINDS[:-1], KINDS[-1]), index=table.index)


def report(table, show):
    """Print the tables and some lines of each cell, the largest cells first."""
    table = table.assign(kind=kind_of_lines(table), volume=table["doc_id"].str.extract(r"^(.*?-\d+)", expand=False))
    wrong = table[table["label"] != table["predicted"]]
    pair = (wrong["label"] + " predicted as " + wrong["predicted"]).rename("pair")
    print(f"{len(wrong):,} of {len(table):,} lines are wrong ({len(wrong) / len(table):.1%}).")
    for column in ("volume", "kind"):
        lines = table.groupby(column).size().rename("lines")
        print("\n" + pd.crosstab(wrong[column], pair).join(lines).to_string())
    for (name, kind), rows in sorted(wrong.groupby([pair, "kind"]), key=lambda cell: -len(cell[1])):
        print(f"\n{name}, {kind}: {len(rows)}")
        for row in rows.sample(min(show, len(rows)), random_state=0).itertuples():
            print(f"  {row.doc_id}:{row.line_number}  {row.value.strip()[:110]}")


def main():
    """Read the predictions and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("predictions", nargs="+")
    parser.add_argument("--show", type=int, default=5, help="lines shown for each pair and kind")
    arguments = parser.parse_args()
    report(pd.concat([pd.read_csv(path, keep_default_na=False) for path in arguments.predictions]), arguments.show)


if __name__ == "__main__":
    main()
