"""Two data sets that the tests of batches share."""

from __future__ import annotations

import pytest
from toy import LABELS, toy_table


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Return two data sets as a configuration has them."""
    folder = tmp_path_factory.mktemp("corpus")
    for part, seed in (("train", 0), ("near", 1), ("far", 2)):
        for name, rows in toy_table(3, 30 + seed, seed).groupby("doc_id"):
            text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True))
            path = folder / part / f"{part}-{name}.txt.ann"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    both = {"train": str(folder / "train"), "labels": LABELS[:2], "other": "Misc", "important": LABELS[:2]}
    return {"near": {**both, "test": str(folder / "near")}, "far": {**both, "test": [str(folder / "far")]}}
