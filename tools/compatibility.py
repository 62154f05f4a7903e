"""Write docs/compatibility.md from the table of former names: ``python tools/compatibility.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from skol_rnn.former import (
    CLASSIFIER_NAMES,
    MODEL_NAMES,
    MODEL_OPTIONS,
    MODULE_NAMES,
    OPTIONS,
    Former,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "compatibility.md"

MODULES = {
    "skol_classifier.classifier_v2": "from skol_rnn import SkolClassifierV2",
    "skol_classifier.rnn_model": "from skol_rnn import RNNSkolModel, build_bilstm_model",
    "skol_classifier.model": "from skol_rnn import RNNSkolModel",
    "skol_classifier.preprocessing": "from skol_rnn import read_documents",
    "skol_classifier.utils": "from skol_rnn import read_documents, evaluate_labels",
    "skol_classifier.output_formatters": "from skol_rnn import write_documents",
    "skol_classifier.couchdb_io": "from skol_rnn.classifier import DESTINATIONS, SOURCES",
}
"""Former modules, and the line that replaces an import from them."""

SECTIONS = {
    "Options of `SkolClassifierV2`": OPTIONS,
    "Methods and attributes of `SkolClassifierV2`": CLASSIFIER_NAMES,
    "Options of `RNNSkolModel`": MODEL_OPTIONS,
    "Methods and attributes of `RNNSkolModel`": MODEL_NAMES,
    "Functions and classes": MODULE_NAMES,
}

BEFORE = """# Code written for skol_classifier

`skol_rnn` takes the place of the BiLSTM classifier of the package `skol_classifier`. This page lists the names of that
package, and what each does now. The error messages come from the same table.

- **accepted**: it does what it did.
- **accepted, changed**: it works; the last column says what is different.
- **no effect**: accepted, with a `FutureWarning` where the value is not the former default.
- **refused**: an error says what the last column says. A misspelt name is an error, too, with the nearest name.

Two changes matter most. The only model is the network: `model_type` left out meant `"logistic"` and means `"rnn"` now, which
`fit` prints once. Models that the former package saved are not read: train again.
"""

AFTER = """## Rows

| Rows | What happens |
|---|---|
| `line_number`, or the column that `line_no_col` names | It orders the lines of a document, in `fit` and `predict`; numbers, also as text. |
| no such column, pandas | The order of the rows is the order of the lines. |
| no such column, Spark | Refused in `fit` and `predict`: rows of Spark have no order. |
| `label_indexed`, numbers | `RNNSkolModel.fit(rows, labels=[...])` takes them as positions in `labels`; `SkolClassifierV2` refuses them. |
| vectors of Spark, such as `combined_idf` | `predict` refuses them on Spark: drop the column. |
| Spark rows for `RNNSkolModel` | Refused: pass `rows.toPandas()`, or use `SkolClassifierV2`. |

On one machine, Spark's workers run the Python of the program unless `PYSPARK_PYTHON` or `spark.pyspark.python` is set. Workers
with another Python version, or without the package, are an error that says so before any document is read.
"""


def page() -> str:
    """Return the text of the page."""
    parts = [BEFORE, "\n## Imports\n\n| Former module | Write |\n|---|---|\n"]
    parts += [f"| `{name}` | `{line}` |\n" for name, line in MODULES.items()]
    for title, table in SECTIONS.items():
        parts += [f"\n## {title}\n\n", *_rows(table)]
    return "".join([*parts, "\n", AFTER])


def _rows(table: Mapping[str, Former]) -> Iterator[str]:
    yield "| Name | Now | |\n|---|---|---|\n"
    for name, former in table.items():
        yield f"| `{name}` | {former.now} | {_sentence(former.advice)}. |\n"


def _sentence(advice: str) -> str:
    """Begin with a capital, unless the first word is a name in code."""
    return advice[0].upper() + advice[1:] if advice.split()[0].strip(",.").isalpha() else advice


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
