"""A document's rows: its non-blank lines, or the tokens of a tokeniser, with the labels that its spans say."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from skol_rnn.data.bio import decode_spans, encode_spans
from skol_rnn.data.document import Document, Repair, line_labels
from skol_rnn.data.spans import OverlapError, Span, SpanRules, check_spans, refuse_overlaps, resolve_overlaps
from skol_rnn.errors import DataError

Token = tuple[int, int]
Tokeniser = Callable[[str], Iterable[Token]]

UNITS = ("line", "token")
_WORD = re.compile(r"\w+|[^\w\s]")
_LOST, _MOVED = "span without label", "span moved to its tokens' ends"


def tokenise(text: str) -> list[Token]:
    r"""Find words and single signs: the matches of ``\w+|[^\w\s]``."""
    return [match.span() for match in _WORD.finditer(text)]


def find_tokens(text: str, tokeniser: Tokeniser | None = None) -> tuple[Token, ...]:
    """Tokenise a text and check what comes of it."""
    found = list((tokeniser or tokenise)(text))
    if tokeniser is None:
        return tuple(found)
    tokens, problems, end = [], [], 0
    for position, token in enumerate(found):
        try:
            start, stop = map(operator.index, token)
        except (TypeError, ValueError):
            problems.append(f"token {position} is {token!r:.60}, not a pair of offsets (start, end)")
            continue
        if reason := _reason_against(text, start, stop, end):
            problems.append(f"token {position}, [{start}, {stop}], {reason}")
        tokens.append((start, stop))
        end = max(end, stop)
    if problems:
        raise DataError("; ".join(problems))
    return tuple(tokens)


def _reason_against(text: str, start: int, stop: int, end: int) -> str | None:
    if start >= stop:
        return "is empty or reversed"
    if start < 0 or stop > len(text):
        return f"is outside the text of {len(text)} characters"
    if start < end:
        return f"begins before the end of the token before it, {end}"
    return "is white space" if text[start:stop].isspace() else None


def by_unit(
    document: Document, unit: str, tokeniser: Tokeniser | None = None, rules: SpanRules | None = None
) -> Document:
    r"""Return a document whose rows are lines or tokens, labelled by its spans."""
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}; a row is one of {', '.join(UNITS)}.")
    rules = rules or SpanRules()
    spans = document_spans(document)
    problems = [] if spans is None else _bad_spans(document, spans, rules)
    tokens = None
    if unit == "token":
        try:
            tokens = document.tokens if tokeniser is None else None
            tokens = find_tokens(document.text, tokeniser) if tokens is None else tokens
        except DataError as error:
            problems.append(f"{document.path or document.doc_id}: {error}")
    if problems:
        raise DataError("\n".join(problems))
    return _by_line(document, spans, rules) if tokens is None else _by_token(document, spans, tokens, rules)


def document_spans(document: Document) -> tuple[Span, ...] | None:
    r"""Return a document's spans, or those that the labels of its rows tell; None if nothing is labelled."""
    if document.spans is not None or document.labels is None:
        return document.spans
    if document.tokens is not None:
        return tuple(decode_spans(document.tokens, document.labels))
    pairs = zip(document.lines, document.labels, strict=True)
    return tuple((line.start, line.end, label) for line, label in pairs if label is not None)


def _bad_spans(document: Document, spans: Sequence[Span], rules: SpanRules) -> list[str]:
    problems = check_spans(spans, len(document.text), rules.types)
    bad = {index for index, _ in problems}
    if bad and rules.overlap == "error":  # told together with those that the good ones have
        good = [index for index in range(len(spans)) if index not in bad]
        try:
            refuse_overlaps([spans[index] for index in good])
        except OverlapError as error:
            problems += [(good[index], reason) for index, reason in error.problems]
    return _told(document, spans, problems)


def _told(document: Document, spans: Sequence[Span], problems: Iterable[tuple[int, str]]) -> list[str]:
    return ["{}:{}: {}".format(*_source(document, spans, index), reason) for index, reason in problems]


def _source(document: Document, spans: Sequence[Span], index: int) -> tuple[str, int]:
    """Return file and line that a span was read from, or else the document and the span's line in its text."""
    if index < len(document.sources):
        return document.sources[index]
    return document.path or document.doc_id, document.text.count("\n", 0, max(spans[index][0], 0)) + 1


def _by_token(
    document: Document, spans: tuple[Span, ...] | None, tokens: tuple[Token, ...], rules: SpanRules
) -> Document:
    if spans is None:
        return replace(document, labels=None, tokens=tokens)
    try:
        encoded = encode_spans(tokens, spans, rules)
    except OverlapError as error:
        raise DataError("\n".join(_told(document, spans, error.problems))) from error
    listed = [(index, _LOST, f"{list(spans[index])}: {reason}") for index, reason in encoded.lost]
    listed += [
        (index, _MOVED, f"{list(spans[index])} is {start} to {end}: {document.text[start:end]!r:.60}")
        for index, (start, end) in encoded.moved
    ]
    return replace(
        document, labels=encoded.labels, tokens=tokens, spans=spans, repairs=_with_repairs(document, spans, listed)
    )


def _by_line(document: Document, spans: tuple[Span, ...] | None, rules: SpanRules) -> Document:
    if document.spans is None and document.tokens is None:
        return document  # lines with labels of their own, or none
    if spans is None:
        return replace(document, tokens=None)
    kept, left_out = list(range(len(spans))), list[tuple[int, int]]()
    if rules.overlap != "error":
        kept, left_out = resolve_overlaps(spans, rules.overlap, rules.priority)
    else:
        try:
            refuse_overlaps(spans)
        except OverlapError as error:
            raise DataError("\n".join(_told(document, spans, error.problems))) from error
    labels = line_labels(document.text, document.lines, sorted(spans[index] for index in kept))
    listed = [(a, _LOST, f"{list(spans[a])}: overlaps {list(spans[b])}") for a, b in left_out]
    return replace(document, labels=labels, tokens=None, spans=spans, repairs=_with_repairs(document, spans, listed))


def _with_repairs(
    document: Document, spans: Sequence[Span], listed: Sequence[tuple[int, str, str]]
) -> tuple[Repair, ...]:
    new = [Repair(*_source(document, spans, index), kind, detail) for index, kind, detail in sorted(listed)]
    return document.repairs + tuple(repair for repair in new if repair not in document.repairs)
