"""Rows of a document: its non-blank lines or its tokens, labelled by its spans."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from skol_rnn.data.bio import Token, decode_spans, encode_spans
from skol_rnn.data.document import Document, Repair, line_labels
from skol_rnn.data.spans import OverlapError, Span, SpanRules, check_spans, choose_spans, find_overlaps, offset_problem
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice

Tokeniser = Callable[[str], Iterable[Token]]

UNITS = ("line", "token")
_WORD = re.compile(r"\w+|[^\w\s]")  # of ASCII text
_JOINERS = "\\u200c\\u200d"
# Words with their combining marks, or single other grapheme clusters (Unicode annex 29).
_CLUSTERS = rf"[\p{{L}}\p{{N}}_][\p{{L}}\p{{N}}_\p{{M}}{_JOINERS}]*|(?![\s\x1c-\x1f])\X"
_LOST, _MOVED = "span without label", "span moved to its tokens' ends"


def find_tokens(text: str, tokeniser: Tokeniser | None = None) -> tuple[Token, ...]:
    """Find words and single other characters, or check the offsets that a caller's tokeniser returns."""
    if tokeniser is None and text.isascii():
        return tuple(match.span() for match in _WORD.finditer(text))
    if tokeniser is None:
        import regex  # 0.1 s, and only texts that are not ASCII need it

        return tuple(match.span() for match in regex.finditer(_CLUSTERS, text))
    tokens, problems, end = [], [], 0
    for position, token in enumerate(tokeniser(text)):
        try:
            start, stop = map(operator.index, token)
        except (TypeError, ValueError):
            problems.append(f"token {position} is {token!r:.60}, not a pair of offsets (start, end)")
            continue
        reason = offset_problem(start, stop, len(text))
        if reason is None and start < end:
            reason = f"begins before the end of the previous token, {end}"
        if reason := reason or ("is white space" if text[start:stop].isspace() else None):
            problems.append(f"token {position}, [{start}, {stop}], {reason}")
        tokens.append((start, stop))
        end = max(end, stop)
    if problems:
        raise DataError("; ".join(problems))
    return tuple(tokens)


def by_unit(
    document: Document, unit: str, tokeniser: Tokeniser | None = None, rules: SpanRules | None = None
) -> Document:
    r"""Return a document whose rows are lines or tokens, labelled by its spans."""
    check_choice("unit", unit, UNITS)
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
    if unit == "line" and document.spans is None and document.tokens is None:
        return document  # its rows are lines already
    if spans is None:
        return replace(document, labels=None, tokens=tokens)
    try:
        labels, listed = _row_labels(document, spans, tokens, rules)
    except OverlapError as error:
        raise DataError("\n".join(_located(document, spans, error.problems))) from error
    new = [Repair(*_source(document, spans, index), kind, detail) for index, kind, detail in sorted(listed)]
    repairs = document.repairs + tuple(repair for repair in new if repair not in document.repairs)
    return replace(document, labels=labels, tokens=tokens, spans=spans, repairs=repairs)


def document_spans(document: Document) -> tuple[Span, ...] | None:
    r"""Return the spans of a document, or those that its labelled rows form; None if it has no labels."""
    if document.spans is not None or document.labels is None:
        return document.spans
    if document.tokens is not None:
        return tuple(decode_spans(document.tokens, document.labels))
    pairs = zip(document.lines, document.labels, strict=True)
    return tuple((line.start, line.end, label) for line, label in pairs if label is not None)


def _bad_spans(document: Document, spans: Sequence[Span], rules: SpanRules) -> list[str]:
    """List invalid spans and, with them, spans that overlap, so that all problems are reported at once."""
    problems = check_spans(spans, len(document.text), rules.types)
    if problems and rules.overlap == "error":
        bad = {index for index, _ in problems}
        problems += find_overlaps(spans, {i: span[:2] for i, span in enumerate(spans) if i not in bad})
    return _located(document, spans, problems)


def _located(document: Document, spans: Sequence[Span], problems: Iterable[tuple[int, str]]) -> list[str]:
    """Put file and line before each problem."""
    return ["{}:{}: {}".format(*_source(document, spans, index), reason) for index, reason in problems]


def _source(document: Document, spans: Sequence[Span], index: int) -> tuple[str, int]:
    """Return file and line of a span, or document and line of the text if the format records no source."""
    if index < len(document.sources):
        return document.sources[index]
    return document.path or document.doc_id, document.text.count("\n", 0, max(spans[index][0], 0)) + 1


def _row_labels(
    document: Document, spans: Sequence[Span], tokens: Sequence[Token] | None, rules: SpanRules
) -> tuple[tuple[str | None, ...], list[tuple[int, str, str]]]:
    """Label lines, or the tokens if there are any; list index, kind and detail of what the labels do not show."""
    if tokens is None:
        kept, lost = choose_spans(spans, rules)
        labels = line_labels(document.text, document.lines, sorted(spans[index] for index in kept))
        return labels, [(index, _LOST, f"{list(spans[index])}: {reason}") for index, reason in lost]
    encoded = encode_spans(tokens, spans, rules)
    listed = [(index, _LOST, f"{list(spans[index])}: {reason}") for index, reason in encoded.lost]
    for index, (start, end) in encoded.moved:
        listed.append((index, _MOVED, f"{list(spans[index])} is {start} to {end}: {document.text[start:end]!r:.60}"))
    return encoded.labels, listed
