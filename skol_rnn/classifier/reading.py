"""Read units: from files, texts, the caller's tables of pandas or Spark, or a reader in ``SOURCES``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from skol_rnn.classifier import options as known
from skol_rnn.classifier import spark as on_spark
from skol_rnn.classifier.labelling import document_keys
from skol_rnn.classifier.segmentation import ToUnits, segment, text_documents, unit_rows
from skol_rnn.data.document import Document
from skol_rnn.data.inputs import frame_of
from skol_rnn.data.label_numbers import NUMBERS
from skol_rnn.data.reading import read_documents
from skol_rnn.data.table import check_texts, document_names
from skol_rnn.errors import DataError

if TYPE_CHECKING:
    from skol_rnn.classifier.classifier import SkolClassifierV2


def read_units(classifier: SkolClassifierV2, labelled: bool, data: Any = None) -> Any:
    """Return units of the caller's data, or of ``input_source``, as a DataFrame of Spark or pandas."""
    data = frame_of(data)
    mode, to_units = classifier.extraction_mode, _to_units(classifier, labelled)
    if isinstance(data, (str, list, tuple)):
        texts = [data] if isinstance(data, str) else data
        check_texts(texts, "texts")
        documents = text_documents(texts, labelled)
    elif data is not None:
        return table_units(classifier, data, labelled)
    elif classifier.input_source in known.SOURCES:
        documents = known.SOURCES[classifier.input_source](classifier, labelled)
    elif classifier.input_source != "files":
        raise DataError(f'With input_source="{classifier.input_source}", pass the documents to the method.')
    elif not classifier.file_paths:
        raise ValueError('input_source="files" needs file_paths.')
    elif classifier.spark is not None:
        schema = on_spark.unit_schema(mode, labelled, classifier.on_error == "collect")
        return on_spark.read_units(classifier.spark, classifier.file_paths, to_units, schema)
    else:
        documents = read_documents(classifier.file_paths)
    rows = segment(documents, to_units)
    return rows if classifier.spark is None else on_spark.to_spark(classifier.spark, rows, mode)


def table_units(classifier: SkolClassifierV2, data: Any, labelled: bool) -> Any:
    """Return units of a table: of the documents in its column ``text``, or its rows in columns of the usual names."""
    data = frame_of(data)
    if not isinstance(data, pd.DataFrame) and not on_spark.is_spark(data):
        raise TypeError(f"Give a table or a list of texts, not {type(data).__name__}.")
    if "text" not in data.columns:
        return _named(data, classifier.model_params, labelled)
    if "doc_id" not in data.columns:
        raise DataError("The rows have a column 'text' but no column 'doc_id': name each row's document.")
    to_units = _to_units(classifier, False)
    if not isinstance(data, pd.DataFrame):
        return on_spark.segment_texts(data, to_units, on_spark.unit_schema(classifier.extraction_mode))
    names = document_names(data)
    check_texts(data["text"], "text")
    return segment(map(Document, names, data["text"]), to_units)


def _to_units(classifier: SkolClassifierV2, labelled: bool) -> ToUnits:
    mode, sections = classifier.extraction_mode, classifier.section_filter
    return partial(unit_rows, mode=mode, sections=sections, labelled=labelled)


def _named(data: Any, parameters: dict[str, Any], labelled: bool) -> Any:
    """Check the columns of units, and give those that ``line_no_col`` and ``label_col`` name their usual names."""
    document_keys(data.columns)
    wanted = {"line_number": "line_no_col"} | ({"label": "label_col"} if labelled else {})
    columns = {}
    for name, option in wanted.items():
        source = parameters.get(option, name)
        if source in data.columns:
            columns[name] = data[source]
        elif source != name:
            raise DataError(
                f"The rows have no column {source!r}, which {option} names, only {', '.join(map(str, data.columns))}."
            )
    if "value" not in data.columns:
        raise DataError(f"The rows have no column 'value' or 'text', only {', '.join(map(str, data.columns))}.")
    if labelled and "label" not in columns:
        problem = "The training rows have no column 'label'"
        if NUMBERS in data.columns:
            problem += f": {NUMBERS!r} holds numbers, which RNNSkolModel.fit(rows, labels=[...]) takes"
        raise DataError(f"{problem}.")
    if isinstance(data, pd.DataFrame):
        return data.assign(**columns)
    if "line_number" not in columns:
        advice = "number the lines of each document in a column 'line_number', or name it with line_no_col"
        raise DataError(f"The rows of Spark have no column 'line_number', and no order without it: {advice}.")
    return data.withColumns(columns) if any(parameters.get(option) for option in wanted.values()) else data
