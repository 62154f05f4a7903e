"""The page of a batch, for a browser or for a notebook."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skol_rnn.batch_evaluate.result import mean, span
from skol_rnn.labels import printable

if TYPE_CHECKING:
    from skol_rnn.batch_evaluate.result import BatchResult

_COLUMNS = 6  # labels with a column of their own; all labels are in a table below


def require_jinja() -> Any:
    """Return the module jinja2, or name the extra that brings it."""
    try:
        import jinja2
    except ImportError as error:
        raise ImportError('The page of a batch needs jinja2: pip install "skol_rnn[report]"') from error
    return jinja2


def render(result: BatchResult, title: str, whole: bool) -> str:
    """Render the page, or with ``whole=False`` the part of it that a notebook shows."""
    jinja2 = require_jinja()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.finalize = lambda value: printable(value) if type(value) is str else value
    source = files(__package__)
    template = environment.from_string(source.joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        whole=whole,
        css=source.joinpath("page.css").read_text(encoding="utf-8"),
        sections=[_section(result, data.name) for data in result.batch.data],
        failed=len(result.failed),
        failures=result.failures(),
        settings=[(setting.name, _described(setting.value)) for setting in result.batch.settings],
        data=result.batch.data,
        cells=len(result.cells),
        seeds=result.batch.seeds,
    )


def _section(result: BatchResult, data: str) -> dict[str, Any]:
    """Return the rows of one data set, as text and bars."""
    cells = [cell for cell in result.cells if cell["data"] == data and "scores" in cell]
    labels = list(dict.fromkeys(label for cell in cells for label in cell["labels"]))
    important = [name for name in labels if any(name in cell["important"] for cell in cells)]
    rows = [row for row in result.summary_rows() if row["data"] == data]
    best = max((row["important_f1"] for row in rows if row["important_f1"] == row["important_f1"]), default=None)
    shown = [("important_f1", "Important F1", ""), *((f"f1/{name}", name, "F1") for name in important[:_COLUMNS])]
    shown += [("macro_f1", "Macro F1", ""), ("accuracy", "Accuracy", "")]
    support = {name: cell["scores"][f"support/{name}"] for cell in cells for name in cell["labels"]}
    return {
        "name": data,
        "headings": [(heading, kind) for _, heading, kind in shown],
        "rows": [
            {
                "name": row["setting"],
                "best": best is not None and row["important_f1"] == best and len(rows) > 1,
                "bar": _bar(row),
                "scores": [(mean(row, key, 3), span(row, key)) for key, _, _ in shown],
                "seconds": mean(row, "train_seconds", 0 if row["train_seconds"] >= 10 else 1),
                "seeds": f"{row['seeds']} of {row['seeds'] + row['failed']}",
            }
            for row in rows
        ],
        "settings": [row["setting"] for row in rows],
        "labels": [(name, support[name], [_detail(row, name) for row in rows]) for name in labels],
    }


def _bar(row: dict[str, Any]) -> tuple[float, float, float] | None:
    """Return mean, low and high of the important F1 in per cent."""
    values = tuple(100 * row[f"important_f1{end}"] for end in ("", "_low", "_high"))
    return None if values[0] != values[0] else (values[0], values[1], values[2])


def _detail(row: dict[str, Any], label: str) -> tuple[str, ...]:
    return tuple(mean(row, f"{kind}/{label}", 3) for kind in ("precision", "recall", "f1"))


def _described(value: Any) -> str:
    """Describe a setting in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} = {item!r}" for name, item in value.items()) or "all defaults"
    if isinstance(value, Path):
        return f"saved model {value}"
    return f"{type(value).__name__}({', '.join(f'{name}={item!r:.60}' for name, item in vars(value).items())})"
