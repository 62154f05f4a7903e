"""Write records to a file or standard output as they come: JSON lines, CSV or Parquet, by the ending."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion
from skol_rnn.persistence.atomic import check_writable, writing_atomically
from skol_rnn.persistence.bundle import model_above
from skol_rnn.records.build import BACK, FRONT, Record

ENDINGS = (".jsonl", ".csv", ".parquet")
_ROWS = 1_000  # records of a group of rows in Parquet: they bound memory
_TYPES = {
    **dict.fromkeys(("record", "begin_line", "end_line", "start", "end"), "int64"),
    **dict.fromkeys(("mean_probability", "least_probability"), "float64"),
}


def columns_of(labels: Sequence[str]) -> list[str]:
    """Return the columns of a table of records of some labels; refuse a label that is another column."""
    fixed = (*FRONT, *BACK)
    for label in labels:
        if label in fixed:
            raise DataError(
                f"The label {label!r} is also a column of the table of records: rename it in the documents."
            )
    return [*FRONT, *labels, *BACK]


def ending_of(path: Path) -> str:
    """Return the ending that selects the format, or raise a ValueError."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        hint = suggestion(ending, ENDINGS) if ending else ""
        raise ValueError(f"out must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, but is {path}.{hint}")
    if ending == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise ImportError("Parquet needs pyarrow: pip install 'skol_rnn[parquet]', or use CSV.") from error
    return ending


def check_output(path: Path, overwrite: bool, read: Iterable[str | Path]) -> None:
    """Refuse, before any work, a file that cannot be written or that is one of those that are read."""
    ending_of(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a file, such as {path / 'records.csv'}.")
    check_writable(path)
    if (model := model_above(path.resolve())) is not None:
        raise DataError(f"{path} is in the saved model {model}: choose another folder.")
    if path.exists():
        for other in map(Path, read):
            if other.exists() and other.samefile(path):
                raise DataError(
                    f"{path} is one of the files that are read, which are never replaced: choose another name."
                )
        if not overwrite:
            raise DataError(f"{path} exists: give overwrite=True to replace it, or choose another name.")


def holds_records(path: Path) -> bool:
    """Whether a file is a table of records, which is no document."""
    ending = ending_of(path)
    if not path.is_file():
        return False
    if ending == ".parquet":
        from pyarrow.parquet import read_schema

        try:
            return tuple(read_schema(path).names[: len(FRONT)]) == FRONT
        except (OSError, ValueError):  # pyarrow's own errors are among them
            return False
    with path.open("rb") as file:
        line = file.readline(1 << 12)
    if ending == ".csv":
        return line.startswith(",".join(FRONT).encode() + b",")
    return not line or line.startswith(b'{"document": ')


class _Sink(Protocol):
    def add(self, record: Record) -> None: ...

    def close(self) -> None: ...


class _Text:
    """JSON lines or CSV."""

    def __init__(self, stream: IO[bytes], labels: Sequence[str], ending: str) -> None:
        self._stream, self._csv, self._columns = stream, ending == ".csv", columns_of(labels)
        if self._csv:
            self._row(self._columns)

    def add(self, record: Record) -> None:
        row = record.to_dict()
        if self._csv:
            self._row([*(row[name] for name in self._columns[:-2]), "; ".join(record.flags), row["lines"]])
        else:
            self._put(f"{json.dumps(row, ensure_ascii=False)}\n", record.document)

    def _row(self, values: Sequence[Any]) -> None:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerow(values)
        self._put(buffer.getvalue(), str(values[0]))

    def _put(self, text: str, name: str) -> None:
        try:
            self._stream.write(text.encode())
        except UnicodeEncodeError as error:
            raise DataError(f"{name} holds half of a surrogate pair, which no file can: correct the text.") from error

    def close(self) -> None:
        self._stream.flush()


class _Parquet:
    def __init__(self, stream: IO[bytes], labels: Sequence[str]) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        kinds = {"int64": pa.int64(), "float64": pa.float64(), "flags": pa.list_(pa.string())}
        names = columns_of(labels)
        self._schema = pa.schema([(name, kinds.get(_TYPES.get(name, name), pa.string())) for name in names])
        self._writer, self._rows = ParquetWriter(stream, self._schema), list[dict[str, Any]]()
        self._from_rows = pa.Table.from_pylist

    def add(self, record: Record) -> None:
        self._rows.append(record.to_dict())
        if len(self._rows) >= _ROWS:
            self._put()

    def _put(self) -> None:
        try:
            table = self._from_rows(self._rows, schema=self._schema)
        except UnicodeEncodeError as error:
            raise DataError("A text holds half of a surrogate pair, which no file can: correct the text.") from error
        self._writer.write_table(table)
        self._rows = []

    def close(self) -> None:
        if self._rows:
            self._put()
        self._writer.close()


@contextmanager
def writing(path: Path, labels: Sequence[str]) -> Iterator[_Sink]:
    """Open a file of records, which takes its place when all are written."""
    ending = ending_of(path)
    with writing_atomically(path) as stream:
        sink: _Sink = _Parquet(stream, labels) if ending == ".parquet" else _Text(stream, labels, ending)
        yield sink
        sink.close()
