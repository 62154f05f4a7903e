"""JSON records, one a line or all in one list: text and labelled spans of characters, as annotation tools export them.

Read are the shapes of doccano (old and new), Prodigy, spaCy and Label Studio; doccano's is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skol_rnn.data.document import Document, Repair, with_repairs
from skol_rnn.data.formats.encoding import SURROGATE, read_records, replace_surrogates
from skol_rnn.data.probabilities import by_label
from skol_rnn.data.spans import Span, from_utf16, quotation_problem
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError
from skol_rnn.labels import plural

_LABEL_KEYS = ("label", "labels", "entities", "spans", "ents", "annotations")
_OTHER_LISTS = ("tokens", "sents", "sentences", "words", "relations", "comments", "cats")  # lists without spans
_STARTS, _ENDS, _NAMES = ("start_offset", "start"), ("end_offset", "end"), ("label", "labels")
_REJECTED = ("reject", "ignore")  # Prodigy's answers that are no annotation
_OFFSET = re.compile("start|begin|from|offset|pos", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n]*")
_DEEP = "this is not a JSON object: it is nested too deeply"


class _NotJson(DataError):
    """A text is not JSON; ``line`` counts from the beginning of the text."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read_jsonl(path: Path, doc_id: str, problems: list[str], offsets: str = "characters") -> list[Document]:
    """Read documents, one JSON object per line or a list of them."""
    text, repairs = read_records(path)
    documents: list[Document] = []
    seen: dict[str, int] = {}
    try:
        records = list(_records(text))
    except _NotJson as error:
        problems.append(f"{path}:{error.line}: {error}")
        return []
    for number, line, record in records:
        try:
            document = parse_record(record, f"{doc_id}/{number}", str(path), line, offsets)
            if seen.setdefault(document.doc_id, line) != line:
                raise DataError(f"record {document.doc_id!r:.80}: line {seen[document.doc_id]} has the same id")
            documents.append(document)
        except DataError as error:
            problems.append(f"{path}:{line}: {error}")
    return with_repairs(documents, repairs)


def load_records(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the JSON values of a file, one a line or all in one list, each with its line."""
    text, _ = read_records(path)
    try:
        for _, line, record in _records(text):
            yield line, _load_all(record) if isinstance(record, str) else record
    except _NotJson as error:
        raise DataError(f"{path}:{error.line}: {error}") from error


def _records(text: str) -> Iterator[tuple[int, int, Any]]:
    """Yield the lines, or the records of one list, with their numbers and lines."""
    lines = [(number, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines or (len(lines) > 1 and _is_record(lines[0][2])) or not text.lstrip().startswith(("[", "{")):
        yield from lines
    elif text.lstrip().startswith("["):
        items = list(_items(text))
        if all(isinstance(record, (dict, list)) for _, record in items):
            yield from ((number, *item) for number, item in enumerate(items, 1))
        else:
            yield 1, lines[0][0], text  # one record, as spaCy writes it
    elif len(lines) > 1 and _is_json(text):
        yield 1, lines[0][0], text  # one object on several lines
    else:
        yield from lines


def _load(text: str, start: int = 0) -> tuple[Any, int]:
    """Return the JSON value that begins at a place of a text, and its end."""
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    start = _skip_blanks(text, start)
    try:
        return decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _NotJson(error.lineno, f"this is not a JSON object: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise _NotJson(_line_at(text, start), _DEEP) from error
    except DataError as error:
        raise _NotJson(_line_at(text, start), str(error)) from error
    except ValueError as error:  # Python's limit to the digits of a number
        raise _NotJson(_line_at(text, start), "this is not a JSON object: a number has too many digits") from error


def _load_all(text: str) -> Any:
    """Return the one JSON value of a text."""
    value, end = _load(text)
    if (end := _skip_blanks(text, end)) < len(text):
        line = _line_at(text, end)
        column = end - text.rfind("\n", 0, end)
        raise _NotJson(line, f"this is not one JSON object: something follows it at column {column}")
    return value


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the items of a list, each with its line."""
    place = _skip_blanks(text, text.index("[") + 1)
    while not text.startswith("]", place):
        line = _line_at(text, place)
        item, place = _load(text, place)
        yield line, item
        place = _skip_blanks(text, place)
        if not text.startswith((",", "]"), place):
            column = place - text.rfind("\n", 0, place)
            where = _line_at(text, place)
            raise _NotJson(where, f"this is not a list of JSON objects: ',' or ']' is missing at column {column}")
        place = _skip_blanks(text, place + text.startswith(",", place))
    if (end := _skip_blanks(text, place + 1)) < len(text):
        raise _NotJson(_line_at(text, end), "something follows the list: write one list, or one object a line")


def _skip_blanks(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    return match.end() if match else place


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _is_json(text: str) -> bool:
    try:
        _load_all(text)
    except DataError:
        return False
    return True


def _is_record(line: str) -> bool:
    """Return whether a line is a record and no list of them."""
    return _is_json(line) and not re.match(r"\s*\[\s*[\[{]", line)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; Python's own reader would drop all but the last of two equal keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"the key {twice!r:.60} occurs twice in one object: keep one of them")
    return found


def parse_record(
    line: Any, doc_id: str, path: str | None = None, number: int = 1, offsets: str = "characters"
) -> Document:
    r"""Turn one JSON object, or its text, into a document with spans."""
    record = _load_all(line) if isinstance(line, str) else line
    match record:
        case [str(content), dict(labels)]:  # spaCy's training data
            record = {"text": content, **labels}
    if not isinstance(record, dict):
        raise DataError("this is not a JSON object: begin each line with {")
    name = _name(record.get("id"), doc_id)
    text = _text(record)
    if text is None:
        raise DataError(f"record {name!r:.80}: there is no text; give it as 'text' or 'data'")
    notes: list[str] = []
    entries = _entries(record, name, notes)
    repairs = tuple(Repair(path or name, number, "part of a record", note) for note in notes)
    text, lone = replace_surrogates(text)
    if lone:
        repairs += (Repair(path or name, number, SURROGATE, f"{lone} in the text, read as U+FFFD"),)
    if entries is None:
        return Document(name, text, path=path, repairs=repairs)
    spans = tuple(_spans(entries, text, name, offsets))
    sources = ((path, number),) * len(spans) if path is not None else ()
    return Document(name, text, path=path, spans=spans, sources=sources, repairs=repairs)


def _name(given: object, doc_id: str) -> str:
    if given is None:
        return doc_id
    name = str(given)
    if not isinstance(given, (str, int, float)) or not name.strip() or replace_surrogates(name)[1]:
        raise DataError(f"the id {given!r:.60} is not a name: give a text or a number, or leave the id out")
    return name


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
    if not full:
        _refuse_other_keys(record, name)
    if not given:
        return None
    if len(full) > 1:
        raise DataError(
            f"record {name!r:.80}: there are spans under {full[0]!r} and under {full[1]!r}: keep one of them"
        )
    key = (full or given)[0]
    entries = record[key]
    if key == "spans" and isinstance(entries, dict):  # spaCy's groups of spans
        if len(entries) > 1:
            groups = f"there are {len(entries)} groups of spans: keep one of {list(entries)!r:.200}"
            raise DataError(f"record {name!r:.80}: {groups}")
        entries = next(iter(entries.values()), [])
    if not isinstance(entries, list):
        raise DataError(f"record {name!r:.80}: its labels are {entries!r:.60}, not a list")
    if key == "annotations" and any(isinstance(entry, dict) and "result" in entry for entry in entries):
        return _label_studio(entries, name, notes)
    return entries


def _refuse_other_keys(record: dict[str, Any], name: str) -> None:
    """Raise a DataError if spans are under a key that is not read."""
    for key, value in record.items():
        if key not in (*_OTHER_LISTS, *_LABEL_KEYS) and _holds_spans(value):
            known = ", ".join(map(repr, _LABEL_KEYS))
            raise DataError(f"record {name!r:.80}: the spans are under {key!r:.60}; give them as one of {known}")


def _holds_spans(value: object) -> bool:
    """Return whether a value of a record is a list of spans, or an object that holds one."""
    if isinstance(value, dict):
        return any(key not in _OTHER_LISTS and _holds_spans(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_offsets, value))


def _has_offsets(entry: object) -> bool:
    if isinstance(entry, dict):
        return any(_OFFSET.search(key) and type(value) is int for key, value in entry.items())
    if not isinstance(entry, list):
        return False
    kinds = [type(item) for item in entry]
    return kinds.count(int) == 2 and kinds.count(str) == len(kinds) - 2 > 0


def _label_studio(annotations: list[Any], name: str, notes: list[str]) -> list[Any]:
    """Return the results of the first annotation that was not cancelled."""
    if not all(isinstance(each, dict) and isinstance(each.get("result", []), list) for each in annotations):
        raise DataError(f"record {name!r:.80}: an annotation is not an object with a list 'result'")
    kept = [each for each in annotations if not each.get("was_cancelled")]
    if len(kept) > 1:
        notes.append(f"{len(kept)} annotations of one text: the first is kept")
    results = kept[0].get("result", []) if kept else []
    values = [each.get("value") if isinstance(each, dict) else None for each in results]
    spans = [value for value in values if isinstance(value, dict) and "start" in value]
    if left := len(results) - len(spans):
        notes.append(f"{plural(left, 'result')} that {'are no spans' if left != 1 else 'is no span'} left out")
    return spans


def _spans(entries: list[Any], text: str, name: str, offsets: str) -> list[Span]:
    """Return the spans of a record, sorted; their offsets are checked with those of other formats."""
    spans: list[Span] = []
    quotations: list[Any] = []
    problems = []
    for given in entries:
        entry, quoted = _flat(given)
        if problem := _problem(entry, given):
            problems.append(problem)
        else:
            spans.append(tuple(entry))
            quotations.append(quoted)
    if offsets == "utf-16":
        spans = list(from_utf16(text, spans))
    for (start, end, kind), quoted in zip(spans, quotations, strict=True):
        if isinstance(quoted, str) and (problem := quotation_problem(text, [(start, end, kind)], quoted, _same)):
            problems.append(f"[{start}, {end}] {problem}")
    if problems:
        raise DataError(f"record {name!r:.80}: {'; '.join(problems)}")
    return sorted(spans)


def _problem(entry: Any, given: Any) -> str | None:
    """Say what is wrong with a span."""
    match entry:
        case [int(), int(), str(label)] if replace_surrogates(label)[1]:
            return f"the label {label!r:.60} holds half of a surrogate pair"
        case [int(start), int(end), str(label)] if label and not {type(start), type(end)} & {bool}:
            return None
        case [int(), int(), int(label)]:
            return f"{_shown(entry)} has the number {label} for a label: export the names of the labels"
        case [int(), int(), ""]:
            return f'{_shown(entry)} is not [start, end, "Name"]: its name is empty'
        case _ if isinstance(given, dict) and None in entry:
            keys = ", ".join(map(repr, given))
            return f"a span has the keys {keys:.100}: give 'start', 'end' and 'label'"
    return f'{_shown(entry)} is not [start, end, "Name"] with whole numbers'


def _flat(entry: Any) -> tuple[Any, Any]:
    """Return a span that is an object as a list, and the text that it quotes."""
    if not isinstance(entry, dict):
        return entry, None
    start, end, name = (next((entry[key] for key in keys if key in entry), None) for keys in (_STARTS, _ENDS, _NAMES))
    return [start, end, name[0] if isinstance(name, list) and len(name) == 1 else name], entry.get("text")


def _shown(entry: object) -> str:
    return f"{json.dumps(entry, ensure_ascii=False):.60}"


def _same(found: str, quoted: str) -> bool:
    """Compare texts; tools write line ends in a quotation in different ways."""
    words = quoted.replace("\\n", "\n").split()
    return found.split(None, len(words)) == words  # the rest of a long text is not split


def format_record(document: Document, probabilities: Sequence[Sequence[float]] | None = None) -> str:
    """Turn a document into one JSON object, without line end."""
    record: dict[str, Any] = {"id": document.doc_id, "text": document.text}
    if (spans := document_spans(document)) is not None:
        record["label"] = spans
    if probabilities is not None:
        columns = by_label(probabilities)
        record["probabilities"] = columns or [[float(p) for p in line] for line in probabilities]
    return json.dumps(record, ensure_ascii=False)
