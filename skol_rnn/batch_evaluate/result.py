"""The result of a batch: a table with one row a cell, means over seeds, and what is written from them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skol_rnn.batch_evaluate.cells import AVERAGES, BY_LABEL
from skol_rnn.batch_evaluate.config import Batch
from skol_rnn.evaluation.report import marked, text_table
from skol_rnn.labels import printable
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("data", "setting", "seed", "error")
_LAST = ("unit", "rows", "train_seconds", "predict_seconds", "bytes", "key")
_SECONDS = ("train_seconds", "predict_seconds")


@dataclass(frozen=True, eq=False, repr=False)
class BatchResult:
    """Scores of a batch.

    Parameters
    ----------
    batch : Batch
        The checked configuration.
    cells : tuple of dict
        The record of each cell: scores, confusion matrix, counts by document, seconds, settings and versions as used;
        of a failed cell its error.
    folder : Path
        Where the table, the page and the cells are.

    Attributes
    ----------
    table : DataFrame
        One row a cell: ``data``, ``setting``, ``seed``, ``error`` (empty if there is none), the averages, then
        ``f1/Label``, ``precision/Label``, ``recall/Label``, ``loss/Label``, ``support/Label`` and ``predicted/Label``,
        seconds, and ``parameter/NAME`` for each parameter that a setting gives.

    Examples
    --------
    >>> from skol_rnn import batch_evaluate
    >>> result = batch_evaluate("batch.toml")  # doctest: +SKIP
    >>> result.summary()[["data", "setting", "important_f1"]]  # doctest: +SKIP
    """

    batch: Batch
    cells: tuple[dict[str, Any], ...]
    folder: Path

    @classmethod
    def of(cls, batch: Batch, cells: Sequence[dict[str, Any]], folder: Path) -> BatchResult:
        """Collect the records of all cells."""
        return cls(batch, tuple(cells), folder)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a cell."""
        import pandas as pd

        given = [s.value for s in self.batch.settings if isinstance(s.value, Mapping)]
        parameters = list(dict.fromkeys(name for value in given for name in value))
        values = {setting.name: setting.value for setting in self.batch.settings}
        rows = []
        for cell in self.cells:
            used = cell.get("settings") or {}
            own = values[cell["setting"]] if isinstance(values[cell["setting"]], Mapping) else {}
            shown = {f"parameter/{name}": _text(used.get(name, own.get(name))) for name in parameters}
            first = {"error": "", **{name: cell[name] for name in (*_FIRST, *_LAST) if name in cell}}
            rows.append({**first, **cell.get("scores", {}), **shown})
        whole = ("support", "predicted", "seed", "rows", "bytes")
        kinds = dict.fromkeys(_FIRST, "object") | dict.fromkeys(self._scores(), "float64")
        kinds |= {name: "float64" if name in _SECONDS else "object" for name in _LAST}
        kinds |= {name: "Int64" for name in kinds if name.partition("/")[0] in whole}
        kinds |= {f"parameter/{name}": "object" for name in parameters}
        return pd.DataFrame(rows).reindex(columns=list(kinds)).astype(kinds)

    def _scores(self) -> list[str]:
        """Return the names of all scores."""
        spans = ["fragment_f1"] if any("fragment_f1" in cell.get("scores", ()) for cell in self.cells) else []
        return [*AVERAGES, "loss", *spans, *(f"{kind}/{label}" for label in self.labels for kind in BY_LABEL)]

    @property
    def labels(self) -> list[str]:
        """All labels of all cells, in order of first appearance."""
        return list(dict.fromkeys(label for cell in self.cells for label in cell.get("labels", ())))

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The cells with an error."""
        return [cell for cell in self.cells if "error" in cell]

    def failures(self) -> list[str]:
        """Say what failed; seeds with the same error share a sentence."""
        seeds: dict[tuple[str, str, str], list[str]] = {}
        for cell in self.failed:
            seeds.setdefault((cell["setting"], cell["data"], cell["error"]), []).append(str(cell["seed"]))
        return [f"{setting}, {data}{_seeds(found)}: {error}" for (setting, data, error), found in seeds.items()]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table, one row a cell."""
        return self.table.copy()

    def summary(self) -> pd.DataFrame:
        """Return means over seeds.

        Returns
        -------
        DataFrame
            One row for each data set and setting: ``seeds`` (finished cells), ``failed``, and for each score its mean
            and, as ``SCORE_low`` and ``SCORE_high``, its range.
        """
        import pandas as pd

        return pd.DataFrame(self.summary_rows())

    def summary_rows(self) -> list[dict[str, Any]]:
        """Return the rows of :meth:`summary`."""
        rows = []
        for (data, setting), part in self.table.groupby(["data", "setting"], sort=False):
            finished = int((part["error"] == "").sum())
            row = {"data": data, "setting": setting, "seeds": finished, "failed": len(part) - finished}
            for name in (*self._scores(), *_SECONDS):
                values = part[name].dropna().to_numpy(dtype=float)
                three = (values.mean(), values.min(), values.max()) if len(values) else (float("nan"),) * 3
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), map(float, three), strict=True))
            rows.append(row)
        return rows

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV and return its path."""
        write_atomically(path, self.table.to_csv(index=False).encode())
        return Path(path)

    def to_parquet(self, path: str | Path) -> Path:
        """Write the table as Parquet, which needs pyarrow, and return its path."""
        buffer = io.BytesIO()
        try:
            self.table.to_parquet(buffer, engine="pyarrow", index=False)
        except ImportError as error:
            raise ImportError('Parquet needs pyarrow: pip install "skol_rnn[parquet]"') from error
        write_atomically(path, buffer.getvalue())
        return Path(path)

    def to_html(self, title: str = "Batch evaluation") -> str:
        """Return one HTML page: means over seeds with their ranges, a section for each data set."""
        from skol_rnn.batch_evaluate.page import render

        return render(self, title, whole=True)

    def write(self) -> None:
        """Write ``table.csv``, ``table.parquet`` where pyarrow is installed, and ``index.html`` to the folder."""
        self.to_csv(self.folder / "table.csv")
        with contextlib.suppress(ImportError):  # pyarrow is optional
            self.to_parquet(self.folder / "table.parquet")
        write_atomically(self.folder / "index.html", self.to_html().encode())

    def _repr_html_(self) -> str:
        from skol_rnn.batch_evaluate.page import render

        return render(self, "", whole=False)

    def __repr__(self) -> str:
        settings, data = len(self.batch.settings), len(self.batch.data)
        return f"BatchResult(cells={len(self.cells)}, settings={settings}, data={data}, failed={len(self.failed)})"

    def __str__(self) -> str:
        lines = []
        for data in self.batch.data:
            table = [["Setting", "Important F1", "Range", "Macro F1", "Accuracy", "Seconds", "Seeds"]]
            for row in self.summary_rows():
                if row["data"] != data.name:
                    continue
                scores = [mean(row, "important_f1"), span(row, "important_f1"), mean(row, "macro_f1")]
                scores += [mean(row, "accuracy"), mean(row, "train_seconds", 1), str(row["seeds"])]
                table.append([printable(row["setting"]), *scores])
            lines += [printable(data.name), *text_table(table), ""]
        lines += marked(map(printable, self.failures()))
        return "\n".join(lines).rstrip()


def _seeds(found: list[str]) -> str:
    return "" if found == ["None"] else f", seed{'s' * (len(found) > 1)} {', '.join(found)}"


def mean(row: Mapping[str, Any], name: str, digits: int = 4) -> str:
    """Format the mean of a score, or a dash where there is none."""
    value = row.get(name)
    return "-" if value is None or value != value else f"{value:,.{digits}f}"


def span(row: Mapping[str, Any], name: str, digits: int = 3) -> str:
    """Format the range over several seeds."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return "" if row["seeds"] < 2 or low is None or low != low else f"{low:.{digits}f}-{high:.{digits}f}"


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
