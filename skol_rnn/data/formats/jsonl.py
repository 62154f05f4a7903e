"""JSON records, one a line or all in one list: text and labelled spans of characters, as annotation tools export them.

Read are the shapes of doccano (old and new), Prodigy, spaCy and Label Studio; doccano's is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skol_rnn.data.document import Document, Repair, with_repairs
from skol_rnn.data.formats.encoding import read_records
from skol_rnn.data.probabilities import by_label
from skol_rnn.data.spans import Span
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError

_LABEL_KEYS = ("label", "labels", "entities", "spans", "ents", "annotations")
_OTHER_LISTS = ("tokens", "sents", "relations", "comments", "cats")  # lists of tools that hold no spans
_STARTS, _ENDS, _NAMES = ("start_offset", "start"), ("end_offset", "end"), ("label", "labels")
_REJECTED = ("reject", "ignore")  # Prodigy's answers that are no annotation


def read_jsonl(path: Path, doc_id: str, problems: list[str]) -> list[Document]:
    """Read documents, one JSON object per line or a list of them."""
    text, repairs = read_records(path)
    documents: list[Document] = []
    seen: dict[str, int] = {}
    try:
        records = list(_records(text))
    except (ValueError, RecursionError) as error:
        problems.append(f"{path}: this is not a list of JSON objects: {error}")
        return []
    for number, record in records:
        try:
            document = parse_record(record, f"{doc_id}/{number}", str(path), number)
            if seen.setdefault(document.doc_id, number) != number:
                raise DataError(f"record {document.doc_id!r}: line {seen[document.doc_id]} has the same id")
            documents.append(document)
        except DataError as error:
            problems.append(f"{path}:{number}: {error}")
    return with_repairs(documents, repairs)


def _records(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the lines, or the records of one list, with their numbers."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not text.lstrip().startswith("[") or (len(lines) > 1 and _is_json(lines[0][1])):
        yield from lines
        return
    records = json.loads(text)
    if not all(isinstance(record, (dict, list)) for record in records):
        yield from lines  # one record, which is no object
    else:
        yield from enumerate(records, 1)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def parse_record(line: Any, doc_id: str, path: str | None = None, number: int = 1) -> Document:
    r"""Turn one JSON object, or its text, into a document with spans."""
    try:
        record = json.loads(line) if isinstance(line, str) else line
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is not a JSON object: {error}") from error
    match record:
        case [str(content), dict(labels)]:  # spaCy's training data
            record = {"text": content, **labels}
    if not isinstance(record, dict):
        raise DataError("this is not a JSON object: begin each line with {")
    name = doc_id if record.get("id") is None else str(record["id"])
    text = _text(record)
    if text is None:
        raise DataError(f"record {name!r}: there is no text; give it as 'text' or 'data'")
    notes: list[str] = []
    entries = _entries(record, name, notes)
    repairs = tuple(Repair(path or name, number, "part of a record", note) for note in notes)
    if entries is None:
        return Document(name, text, path=path, repairs=repairs)
    spans = tuple(_spans(entries, text, name))
    sources = ((path, number),) * len(spans) if path is not None else ()
    return Document(name, text, path=path, spans=spans, sources=sources, repairs=repairs)


def _text(record: dict[str, Any]) -> str | None:
    """Return the text of a record; Label Studio keeps it in an object ``data``, under a name of its own."""
    found = record.get("text", record.get("data"))
    if isinstance(found, dict):
        texts = [value for value in found.values() if isinstance(value, str)]
        found = found.get("text", texts[0] if len(texts) == 1 else None)
    return found if isinstance(found, str) else None


def _entries(record: dict[str, Any], name: str, notes: list[str]) -> list[Any] | None:
    """Return the labelled spans of a record; None if it is not annotated."""
    if (answer := record.get("answer")) in _REJECTED:
        notes.append(f"spans with the answer {answer!r} left out")
        return None
    given = [key for key in _LABEL_KEYS if record.get(key) is not None]
    full = [key for key in given if record[key]]
    if not given:
        for key, value in record.items():
            if key not in _OTHER_LISTS and isinstance(value, list) and value and _has_offsets(value[0]):
                known = ", ".join(map(repr, _LABEL_KEYS))
                raise DataError(f"record {name!r}: the spans are under {key!r}; give them as one of {known}")
        return None
    if len(full) > 1:
        raise DataError(f"record {name!r}: there are spans under {full[0]!r} and under {full[1]!r}: keep one of them")
    key = (full or given)[0]
    entries = record[key]
    if key == "spans" and isinstance(entries, dict):  # spaCy's groups of spans
        if len(entries) > 1:
            raise DataError(f"record {name!r}: there are {len(entries)} groups of spans: keep one of {list(entries)}")
        entries = next(iter(entries.values()), [])
    if not isinstance(entries, list):
        raise DataError(f"record {name!r}: its labels are {entries!r:.60}, not a list")
    if key == "annotations" and any(isinstance(entry, dict) and "result" in entry for entry in entries):
        return _label_studio(entries, notes)
    return entries


def _has_offsets(entry: object) -> bool:
    match entry:
        case [int(), int(), str()]:
            return True
        case dict():
            return any(isinstance(entry.get(key), int) for key in _STARTS)
    return False


def _label_studio(annotations: list[Any], notes: list[str]) -> list[Any]:
    """Return the results of the first annotation that was not cancelled."""
    kept = [each for each in annotations if not each.get("was_cancelled")]
    if len(kept) > 1:
        notes.append(f"{len(kept)} annotations of one text: the first is kept")
    results = kept[0].get("result", []) if kept else []
    spans = [each["value"] for each in results if isinstance(each.get("value"), dict) and "start" in each["value"]]
    if len(spans) < len(results):
        notes.append(f"{len(results) - len(spans)} results that are no spans left out")
    return spans


def _spans(entries: list[Any], text: str, name: str) -> list[Span]:
    """Return the spans of a record, sorted; their offsets are checked with those of other formats."""
    spans: list[Span] = []
    problems = []
    for entry in entries:
        quoted = None
        if isinstance(entry, dict):
            quoted = entry.get("text")
            values = [next((entry[key] for key in keys if key in entry), None) for keys in (_STARTS, _ENDS, _NAMES)]
            entry = [*values[:2], values[2][0] if isinstance(values[2], list) and len(values[2]) == 1 else values[2]]
        match entry:
            case [int(start), int(end), str(label)] if label and not {type(start), type(end)} & {bool}:
                if isinstance(quoted, str) and 0 <= start < end <= len(text) and not _same(text[start:end], quoted):
                    at = f"[{start}, {end}]"
                    problems.append(
                        f"{at} quotes {quoted!r:.60}, but the text at its offsets is {text[start:end]!r:.60}"
                    )
                spans.append((start, end, label))
            case [int(), int(), int(label)]:
                problems.append(f"{entry!r:.60} has the number {label} for a label: export the names of the labels")
            case _:
                problems.append(f'{entry!r:.60} is not [start, end, "Name"]')
    if problems:
        raise DataError(f"record {name!r}: {'; '.join(problems)}")
    return sorted(spans)


def _same(found: str, quoted: str) -> bool:
    """Compare texts; tools write line ends in a quotation in different ways."""
    return found.split() == quoted.replace("\\n", "\n").split()


def format_record(document: Document, probabilities: Sequence[Sequence[float]] | None = None) -> str:
    """Turn a document into one JSON object, without line end."""
    record: dict[str, Any] = {"id": document.doc_id, "text": document.text}
    if (spans := document_spans(document)) is not None:
        record["label"] = spans
    if probabilities is not None:
        columns = by_label(probabilities)
        record["probabilities"] = columns or [[float(p) for p in line] for line in probabilities]
    return json.dumps(record, ensure_ascii=False)
