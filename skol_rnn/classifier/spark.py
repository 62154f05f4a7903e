"""Read, label and write documents on Spark: each worker loads the broadcast model once, without TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from skol_rnn.classifier import labelling
from skol_rnn.classifier.segmentation import ToUnits
from skol_rnn.classifier.workers import prepare_workers
from skol_rnn.data.discovery import ONE_DOCUMENT, Found, find_files, unique_names
from skol_rnn.data.document import Document
from skol_rnn.data.reading import Reader
from skol_rnn.data.table import check_texts, document_names
from skol_rnn.errors import DataError, SkolError
from skol_rnn.inference.predictor import load_serving

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from skol_rnn.inference.predictor import ServingModel

    Batches = Iterator[pd.DataFrame]

_UNIT = (
    "doc_id string, filename string, attachment_name string, line_number bigint, value string, blank_before bigint, "
    "page_break boolean, is_page_marker boolean, text_before string, text_after string"
)
_FILE = "path string, relative string, format string, given string, named boolean, doc_id string"
_LABELS = "pos bigint, probabilities array<double>, prediction double, predicted_label string, annotated_value string"
_FILES_PER_TASK = 32
_loaded: dict[str, ServingModel] = {}  # the model of this worker process, by the hash of its bytes


def unit_schema(mode: str, labelled: bool = False, errors: bool = False) -> str:
    """Return the Spark schema of units."""
    schema = _UNIT + (", label string" if labelled else "")
    schema += ", section_name string, paragraph_number bigint" if mode == "section" else ""
    return schema + (", errors string" if errors else "")


def _names(schema: str) -> list[str]:
    return [column.split()[0] for column in schema.split(", ")]


def is_spark(data: object) -> bool:
    """Return whether data is a DataFrame of Spark; pyspark need not be installed."""
    return type(data).__name__ == "DataFrame" and type(data).__module__.startswith("pyspark.sql.")


def to_spark(session: SparkSession, rows: pd.DataFrame, mode: str) -> DataFrame:
    """Send units to Spark."""
    schema = unit_schema(mode, "label" in rows)
    return session.createDataFrame(rows.reindex(columns=_names(schema)), schema)


def segment_texts(rows: DataFrame, to_units: ToUnits, schema: str) -> DataFrame:
    """Segment the documents in the column ``text`` in the workers."""

    def segmented(batches: Batches) -> Batches:
        for batch in batches:
            for name, text in zip(document_names(batch), batch["text"], strict=True):
                check_texts([text], f"text of document {name}")
                yield to_units(Document(name, text))

    prepare_workers(rows.sparkSession)
    return rows.select("doc_id", "text").mapInPandas(segmented, schema)


def read_units(session: SparkSession, paths: Sequence[str | Path], to_units: ToUnits, schema: str) -> DataFrame:
    """Read plain or annotated text files in the workers; the driver only lists them."""
    prepare_workers(session)
    found, _ = find_files(paths, None)
    for file in found:
        if file.format not in ONE_DOCUMENT:
            raise DataError(f"{file.path} is {file.format}: read it as a DataFrame, and use load_raw_from_df.")
    names = unique_names([(file.doc_id, file) for file in found], found)
    files = [(str(Path(file.path).absolute()), file.relative, file.format, file.source, file.named, name)
             for file, name in zip(found, names, strict=True)]  # fmt: skip
    tasks = max(1, min(len(files), max(session.sparkContext.defaultParallelism, len(files) // _FILES_PER_TASK)))
    # createDataFrame alone would choose the number of tasks.
    frame = session.createDataFrame(session.sparkContext.parallelize(files, tasks), _FILE)
    return frame.mapInPandas(partial(_read_batches, to_units=to_units, columns=_names(schema)), schema)


def _read_batches(batches: Batches, to_units: ToUnits, columns: list[str]) -> Batches:
    for batch in batches:
        for path, relative, form, given, named, doc_id in batch.itertuples(index=False):
            try:
                documents = Reader().read(Found(Path(path), relative, form, given, named), [])
            except SkolError as error:
                if "errors" not in columns:
                    raise DataError(f"Document {doc_id!r}: {error}") from error
                row = {"doc_id": doc_id, "filename": path, "errors": str(error)}
                yield pd.DataFrame([[row.get(name) for name in columns]], columns=columns, dtype=object)
                continue
            for document in documents:
                rows = to_units(document.named(doc_id))
                yield rows.assign(**{name: None for name in columns if name not in rows})[columns]


def label_units(units: DataFrame, blob: bytes, decision: str | None, on_error: str, together: bool) -> DataFrame:
    """Label units with a model; with ``together`` each document is within one task already."""
    from pyspark.sql.types import DataType, StructType, UserDefinedType

    for field in units.schema:
        if isinstance(field.dataType, UserDefinedType):
            problem = f"Column {field.name!r} holds vectors of Spark, which do not pass through its Python workers"
            raise DataError(f"{problem}: drop it, the model makes its features of column 'value'.")
    prepare_workers(units.sparkSession)
    units = units if together else _by_document(units)
    added = DataType.fromDDL(_LABELS + (", errors string" if on_error == "collect" else ""))
    replaced = [name for name in added.names if name != "errors"]
    kept = [field for field in units.schema if field.name not in replaced]
    schema = StructType([*kept, *(field for field in added if field.name not in [old.name for old in kept])])
    sent, digest = units.sparkSession.sparkContext.broadcast(blob), hashlib.sha256(blob).hexdigest()
    work = partial(label_batches, sent=sent, digest=digest, decision=decision, on_error=on_error)
    return units.mapInPandas(work, schema)


def label_batches(batches: Batches, sent: Any, digest: str, decision: str | None, on_error: str) -> Batches:
    """Label documents in a worker, which loads the model once."""
    if digest not in _loaded:
        _loaded.clear()
        _loaded[digest] = load_serving(sent.value, backend="onnx", threads=1, precision="float32")
    yield from labelling.label_documents(_loaded[digest], _documents(batches), decision, on_error)


def _documents(batches: Batches) -> Batches:
    """Join batches and cut them between documents."""
    last: list[pd.DataFrame] = []
    for batch in batches:
        documents = labelling.documents_of(pd.concat([*last, batch], ignore_index=True))
        yield from map(_plain_texts, documents[:-1])
        last = documents[-1:]
    yield from map(_plain_texts, last)


def _plain_texts(rows: pd.DataFrame) -> pd.DataFrame:
    """Turn Arrow's text columns into objects, None for a missing text: Spark refuses them in chunks."""
    texts = [name for name, dtype in rows.dtypes.items() if isinstance(dtype, pd.StringDtype)]
    return rows.assign(**{str(name): rows[name].astype(object).where(rows[name].notna(), None) for name in texts})


def _by_document(rows: DataFrame) -> DataFrame:
    """Move the rows of each document into one partition, in order."""
    keys = labelling.document_keys(rows.columns)
    tasks = max(rows.rdd.getNumPartitions(), rows.sparkSession.sparkContext.defaultParallelism)
    return rows.repartition(tasks, *keys).sortWithinPartitions(*keys, "line_number")


def collect_rows(rows: DataFrame, limit: int) -> pd.DataFrame:
    """Collect rows on the driver, where the network is trained, if they are not too many."""
    rows = rows.persist()
    try:
        if (number := rows.count()) > limit:
            problem = f"There are {number:,} training rows, but the driver takes {limit:,}"
            raise DataError(f"{problem}: train on a sample of the documents, or raise max_training_rows.")
        parts = [row.asDict() for row in rows.toLocalIterator(prefetchPartitions=False)]
    finally:
        rows.unpersist()
    return pd.DataFrame(parts, columns=rows.columns)


def by_document(rows: DataFrame, work: Callable[[pd.DataFrame], pd.DataFrame], schema: str) -> DataFrame:
    """Apply a function to the rows of each document in the workers."""

    def worked(batches: Batches) -> Batches:
        yield from map(work, _documents(batches))

    prepare_workers(rows.sparkSession)
    return _by_document(rows).mapInPandas(worked, schema)


def write_texts(rows: DataFrame, folder: str | Path | None, output_format: str, coalesce: bool) -> dict[str, str]:
    """Write the labelled documents in the workers, a file each, or collect their texts by name on the driver."""

    def written(part: pd.DataFrame) -> pd.DataFrame:
        name, result = labelling.document_name(part), labelling.document_text(part, output_format, coalesce)
        if folder is not None:
            result = labelling.write_text(part, name, result, folder, output_format)
        return pd.DataFrame({"name": [name], "result": [result]})

    found = by_document(rows, written, "name string, result string").toLocalIterator()
    return dict(sorted((row["name"], row["result"]) for row in found))
