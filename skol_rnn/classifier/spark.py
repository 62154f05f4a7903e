"""Reading, counting and labelling on Apache Spark; its workers load ONNX Runtime and never TensorFlow.

A document is read, labelled and written within one task.  The model travels once, as a broadcast of its bytes, and
each Python worker builds it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from skol_rnn.classifier.labelling import document_keys, document_name, label_documents, whole_documents
from skol_rnn.classifier.segmentation import document_text, unit_rows, write_text
from skol_rnn.data.discovery import ONE_DOCUMENT, Found, find_files, unique_names
from skol_rnn.data.document import Document
from skol_rnn.data.reading import Reader
from skol_rnn.errors import DataError, SkolError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from skol_rnn.inference.predictor import ServingModel

UNITS = (
    "doc_id string, filename string, attachment_name string, line_number bigint, value string, blank_before bigint, "
    "page_break boolean, is_page_marker boolean, text_before string, text_after string"
)
"""Schema of what :func:`read_units` returns; ``label`` and the columns of sections follow."""
_LABELLED = "pos bigint, probabilities array<double>, prediction double, predicted_label string, annotated_value string"
_FILES_A_TASK = 32

_served: dict[str, ServingModel] = {}
"""The model of this worker process, by the hash of its bytes."""
built = 0
"""How often this process has built a model."""


def served_model(blob: bytes, digest: str) -> ServingModel:
    """Return the model of some bytes, built once in a process."""
    global built
    if digest not in _served:
        from skol_rnn.inference.predictor import load_serving

        _served.clear()
        _served[digest] = load_serving(blob, backend="onnx", threads=1)
        built += 1
    return _served[digest]


def read_units(
    spark: SparkSession,
    paths: Iterable[str | Path],
    mode: str,
    sections: Sequence[str] | None = None,
    labelled: bool = False,
    on_error: str = "raise",
) -> DataFrame:
    """Read plain or annotated text files in the workers; the driver only lists them."""
    found, _ = find_files(list(paths), None)
    for file in found:
        if file.format not in ONE_DOCUMENT:
            raise DataError(f"{file.path} is {file.format}: on Spark read it as a DataFrame, and use load_raw_from_df.")
    names = unique_names([(file.doc_id, file) for file in found])
    files = [(str(Path(file.path).absolute()), file.relative, file.format, file.given, file.named, name)
             for file, name in zip(found, names, strict=True)]  # fmt: skip
    tasks = max(1, min(len(files), max(spark.sparkContext.defaultParallelism, len(files) // _FILES_A_TASK)))
    # By parallelize, which keeps to the number of tasks that was asked for.
    frame = spark.createDataFrame(
        spark.sparkContext.parallelize(files, tasks),
        "path string, relative string, format string, given string, named boolean, doc_id string",
    )
    columns = UNITS + (", label string" if labelled else "")
    columns += ", section_name string, paragraph_number bigint" if mode == "section" else ""
    columns += ", errors string" if on_error == "collect" else ""
    kept = list(sections) if sections is not None else None
    return frame.mapInPandas(_Reader(str(mode), kept, labelled, on_error, _names_of(columns)), columns)


def _names_of(schema: str) -> list[str]:
    return [column.split()[0] for column in schema.split(", ")]


class _Reader:
    """Reads files in a worker."""

    def __init__(
        self, mode: str, sections: list[str] | None, labelled: bool, on_error: str, columns: list[str]
    ) -> None:
        self.mode, self.sections, self.labelled = mode, sections, labelled
        self.on_error, self.columns = on_error, columns

    def __call__(self, batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for path, relative, form, given, named, doc_id in batch.itertuples(index=False):
                try:
                    documents = self._read(Found(Path(path), relative, form, given, named))
                except SkolError as error:
                    if self.on_error == "raise":
                        raise DataError(f"Document {doc_id!r}: {error}") from error
                    told = {"doc_id": doc_id, "filename": path, "errors": str(error)}
                    yield pd.DataFrame([[told.get(name) for name in self.columns]], columns=self.columns, dtype=object)
                    continue
                for document in documents:
                    yield self._rows(document.named(doc_id))

    def _read(self, file: Found) -> list[Document]:
        return Reader().read(file, [])

    def _rows(self, document: Document) -> pd.DataFrame:
        if not self.labelled:
            document = Document(document.doc_id, document.text, path=document.path)
        rows = unit_rows(document, self.mode, self.sections)
        for name in self.columns:
            if name not in rows:
                rows[name] = pd.Series([None] * len(rows), dtype=object)
        return rows[self.columns]


class _Labeller:
    """Labels documents in a worker."""

    def __init__(self, blob: Any, digest: str, keys: list[str], decision: str | None, on_error: str) -> None:
        self.blob, self.digest, self.keys, self.decision, self.on_error = blob, digest, keys, decision, on_error

    def __call__(self, batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = served_model(self.blob.value, self.digest)
        documents = whole_documents(batches, self.keys)
        yield from label_documents(model, documents, self.keys, self.decision, self.on_error)


def label_units(
    units: DataFrame, blob: bytes, decision: str | None = None, on_error: str = "raise", together: bool = False
) -> DataFrame:
    """Label units with a model, one document in one task."""
    for needed in ("line_number", "value"):
        if needed not in units.columns:
            raise DataError(f"The rows have no column {needed!r}: Spark keeps no order without it.")
    keys = document_keys(units.columns)
    if not together:
        units = by_document(units, keys)
    schema = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in units.schema)
    schema += f", {_LABELLED}"
    if on_error == "collect" and "errors" not in units.columns:
        schema += ", errors string"
    sent = units.sparkSession.sparkContext.broadcast(blob)
    return units.mapInPandas(_Labeller(sent, hashlib.sha256(blob).hexdigest(), keys, decision, on_error), schema)


def by_document(rows: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Bring the rows of each document together in one partition, in order."""
    tasks = max(rows.rdd.getNumPartitions(), rows.sparkSession.sparkContext.defaultParallelism)
    return rows.repartition(tasks, *keys).sortWithinPartitions(*keys, "line_number")


def label_counts(rows: DataFrame, column: str = "label") -> dict[str, int]:
    """Count labels in the workers."""
    counts = {row[0]: row[1] for row in rows.where(rows[column].isNotNull()).groupBy(column).count().collect()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def collect_rows(rows: DataFrame, limit: int) -> pd.DataFrame:
    """Bring rows to the driver, where the network is trained, if they are not too many."""
    rows = rows.persist()
    try:
        number = rows.count()
        if number > limit:
            raise DataError(
                f"There are {number:,} training rows, but the driver takes {limit:,}: train on a sample of the "
                "documents, or raise max_training_rows where it has the memory."
            )
        parts = [row.asDict() for row in rows.toLocalIterator(prefetchPartitions=False)]
    finally:
        rows.unpersist()
    return pd.DataFrame(parts, columns=rows.columns)


def write_texts(rows: DataFrame, folder: str | Path | None, output_format: str, coalesce: bool) -> list[str]:
    """Write the labelled documents in the workers, a file each, or bring their texts to the driver."""
    keys = document_keys(rows.columns)
    write = _Writer(None if folder is None else str(folder), output_format, coalesce, keys)
    found = by_document(rows, keys).mapInPandas(write, "name string, result string").toLocalIterator()
    return [row["result"] for row in sorted(found, key=lambda row: row["name"])]


class _Writer:
    """Writes documents in a worker."""

    def __init__(self, folder: str | None, output_format: str, coalesce: bool, keys: list[str]) -> None:
        self.folder, self.output_format, self.coalesce, self.keys = folder, output_format, coalesce, keys

    def __call__(self, batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for rows in whole_documents(batches, self.keys):
            name = document_name(rows, self.keys)
            result = document_text(rows, self.output_format, self.coalesce)
            if self.folder is not None:
                result = write_text(rows, name, result, self.folder, self.output_format)
            yield pd.DataFrame({"name": [name], "result": [result]})
