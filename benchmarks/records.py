"""Whole treatments from predicted labels against those from the gold labels.

    python benchmarks/records.py MODEL PATHS [--begin Nomenclature] [--with Description] [--rules rules.toml]

Both sides are built by the same rules.  A predicted record is right, strictly, if a gold record has the same lines; in
the relaxed sense, if one begins at the same line and has at least 90 % of the same characters of text in the parts: of
the larger of both.  "Same name" asks for a common line of the name instead of the same first one.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from skol_rnn import JoiningRules, read_documents
from skol_rnn.inference.predictor import load_serving
from skol_rnn.records.run import Records, Source, checked_labels

SHARE = 0.9


class Treatment:
    """What the comparison reads of a record."""

    def __init__(self, record, sizes: dict[int, int], begin: str) -> None:
        self.begin_line, self.sizes = record.begin_line, sizes
        self.lines = frozenset(line for own in record.lines.values() for line in own)
        self.name = frozenset(record.lines[begin])
        self.text = self.lines - self.name

    def is_equal(self, other: Treatment) -> bool:
        """Whether both have the same lines."""
        return self.lines == other.lines and self.name == other.name

    def has_same_text(self, other: Treatment) -> bool:
        """Whether 90 % of the characters of the parts are the same."""
        shared, larger = self._size(self.text & other.text), max(self._size(self.text), self._size(other.text))
        return shared >= SHARE * larger

    def is_near(self, other: Treatment) -> bool:
        """Whether both begin at the same line, with nearly the same text."""
        return self.begin_line == other.begin_line and self.has_same_text(other)

    def has_same_name(self, other: Treatment) -> bool:
        """Whether both have a line of the name in common, and nearly the same text."""
        return bool(self.name & other.name) and self.has_same_text(other)

    def _size(self, lines: frozenset[int]) -> int:
        return sum(self.sizes[line] for line in lines)


def treatments(source: Source, labels: tuple[str, ...], rules: JoiningRules) -> dict[str, list[Treatment]]:
    """Build the treatments of each document."""
    found, built = {}, Records(source, labels, rules)
    for lines in source:
        sizes = dict(zip(lines.numbers.tolist(), (len(value.strip()) for value in lines.values), strict=True))
        found[lines.document] = [Treatment(record, sizes, labels[0]) for record in built.of(lines)]
    return found


def scores(
    found: dict[str, list[Treatment]], gold: dict[str, list[Treatment]], same: Callable[[Treatment, Treatment], bool]
) -> dict[str, float]:
    """Count the records that have a partner on the other side."""
    right = sum(any(same(one, other) for other in gold[name]) for name, own in found.items() for one in own)
    again = sum(any(same(one, other) for other in found[name]) for name, own in gold.items() for one in own)
    n_found, n_gold = (sum(map(len, side.values())) for side in (found, gold))
    return {"precision": right / n_found, "recall": again / n_gold, "found": n_found, "gold": n_gold}


def outcome(gold: Treatment, found: list[Treatment]) -> str:
    """Say what became of a gold treatment."""
    same_name = [one for one in found if one.name & gold.name]
    if any(map(gold.is_near, found)):
        return "same begin line and text"
    if not same_name:
        return "name missed"
    return "same text, another begin line" if any(map(gold.has_same_text, same_name)) else "another text"


def main() -> None:
    """Print a table for the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--begin", default="Nomenclature")
    parser.add_argument("--with", dest="parts", default="Description")
    parser.add_argument("--rules", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    labels = checked_labels(given.begin, given.parts.split(","))
    rules = JoiningRules.from_file(given.rules) if given.rules else JoiningRules()
    corpus = read_documents(given.paths)
    gold = treatments(Source(corpus), labels, rules)
    found = treatments(Source(corpus, load_serving(given.model)), labels, rules)
    kinds = {
        "all records": lambda one: True,
        "with a name and text": lambda one: one.name and one.text,
        "name only": lambda one: not one.text,
    }
    hows = {
        "exact lines": Treatment.is_equal,
        "same begin line, 90 % of the text": Treatment.is_near,
        "same name, 90 % of the text": Treatment.has_same_name,
    }
    table = {}
    print("| records | found | gold | right if | precision | recall |\n|---|---:|---:|---|---:|---:|")
    for kind, keep in kinds.items():
        sides = [{name: list(filter(keep, own)) for name, own in side.items()} for side in (found, gold)]
        for how, same in hows.items():
            row = table[f"{kind}, {how}"] = scores(*sides, same)
            shares = f"{row['precision']:.3f} | {row['recall']:.3f}"
            print(f"| {kind} | {row['found']} | {row['gold']} | {how} | {shares} |")
    whole = [(one, found[name]) for name, own in gold.items() for one in own if one.name and one.text]
    counts = Counter(outcome(*pair) for pair in whole)
    print(f"\nGold treatments with a name and text, {len(whole)}:", dict(counts.most_common()))
    if given.json:
        given.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
