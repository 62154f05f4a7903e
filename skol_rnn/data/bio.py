"""Spans to one label a token and back: BIO, and BIOES where it is wanted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skol_rnn.data.spans import OverlapError, Span, SpanRules, refuse_overlaps, resolve_overlaps
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

OUTSIDE = "O"
STRAY = ("begin", "drop", "error")
Token = tuple[int, int]


def is_bio(labels: Iterable[str], *, complete: bool = True) -> bool:
    """Return whether labels are BIO: O, B-X and I-X; if ``complete``, each I-X needs its B-X among them."""
    tags = set(labels) - {OUTSIDE}
    if not tags or not all(tag[:2] in ("B-", "I-") and tag[2:] for tag in tags):
        return False
    return not complete or all("B-" + tag[2:] in tags for tag in tags)


@dataclass(frozen=True)
class Encoding:
    """Labels of tokens, and what they do not tell of the spans they were made from."""

    labels: tuple[str, ...]
    lost: tuple[tuple[int, str], ...] = ()
    moved: tuple[tuple[int, Token], ...] = ()


def encode_spans(tokens: Sequence[Token], spans: Sequence[Span], rules: SpanRules | None = None) -> Encoding:
    """Give each token the label that spans say."""
    rules = rules or SpanRules()
    ranges, lost = _token_ranges(tokens, spans, rules.alignment)
    positions = list(ranges)
    claimed = [(first, last + 1, spans[index][2]) for index, (first, last) in ranges.items()]
    if rules.overlap == "error":
        _refuse_overlaps(spans, positions, claimed)
        kept = list(range(len(positions)))
    else:
        kept, left_out = resolve_overlaps([spans[i] for i in positions], rules.overlap, rules.priority, claimed)
        lost += [(positions[a], f"overlaps {list(spans[positions[b]])}") for a, b in left_out]
    labels = [OUTSIDE] * len(tokens)
    moved = []
    for chosen in kept:
        first, end, kind = claimed[chosen]
        labels[first:end] = _labels_of(kind, end - first, rules.scheme)
        found = (tokens[first][0], tokens[end - 1][1])
        if found != spans[positions[chosen]][:2]:
            moved.append((positions[chosen], found))
    return Encoding(tuple(labels), tuple(sorted(lost)), tuple(sorted(moved)))


def token_labels(types: Iterable[str], scheme: str = "BIO") -> tuple[str, ...]:
    """List the labels of tokens for some types of spans: O, then those of each type in sorted order."""
    prefixes = "BI" if scheme == "BIO" else "BIES"
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in sorted(set(types)) for prefix in prefixes))


def span_types(labels: Iterable[str | None]) -> tuple[str, ...]:
    """List the types that occur in labels of tokens, sorted."""
    return tuple(sorted({split_label(label)[1] for label in {*labels}} - {""}))


def split_label(label: str | None) -> tuple[str, str]:
    """Part a label into its prefix and its type; the type of O, and of a token without a label, is empty."""
    if label is None or label == OUTSIDE or label != label:
        return OUTSIDE, ""
    if not isinstance(label, str) or len(label) < 3 or label[1] != "-" or label[0] not in "BIES":
        raise DataError(f"{label!r} is no label of a token: give O, or B-, I-, E- or S- followed by a type.")
    return label[0], label[2:]


def decode_spans(tokens: Sequence[Token], labels: Sequence[str | None], *, stray: str = "begin") -> list[Span]:
    """Put the tokens of each span together."""
    if len(tokens) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(tokens)} tokens.")
    if stray not in STRAY:
        raise ValueError(f"stray is {stray!r}, not one of {', '.join(STRAY)}.{suggestion(str(stray), STRAY)}")
    spans: list[Span] = []
    problems = []
    running = ""  # type of the span that the next token may continue
    for position, (token, label) in enumerate(zip(tokens, labels, strict=True)):
        prefix, kind = split_label(label)
        goes_on = prefix in "IE" and kind == running and bool(kind)
        if prefix in "IE" and not goes_on:
            before = labels[position - 1] if position else "nothing"
            problems.append(f"token {position} is {label} after {before}")
            if stray == "drop":
                running = ""
                continue
        if goes_on:
            spans[-1] = (spans[-1][0], token[1], kind)
        elif kind:
            spans.append((token[0], token[1], kind))
        running = "" if prefix in "ES" else kind
    if problems and stray == "error":
        raise DataError("; ".join(problems))
    return spans


def _token_ranges(
    tokens: Sequence[Token], spans: Sequence[Span], alignment: str
) -> tuple[dict[int, tuple[int, int]], list[tuple[int, str]]]:
    """Return the first and last token of each span that has any, and the spans that have none."""
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    ranges: dict[int, tuple[int, int]] = {}
    lost = []
    for index, (start, end, _) in enumerate(spans):
        if alignment == "overlap":
            first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
        else:
            first, last = bisect_left(starts, start), bisect_right(ends, end) - 1
        if first <= last:
            ranges[index] = (first, last)
        else:
            lost.append((index, "no token in it" if alignment == "overlap" else "no whole token in it"))
    return ranges, lost


def _refuse_overlaps(spans: Sequence[Span], positions: Sequence[int], claimed: Sequence[Span]) -> None:
    try:
        refuse_overlaps([spans[index] for index in positions], claimed)
    except OverlapError as error:
        raise OverlapError([(positions[index], reason) for index, reason in error.problems]) from None


def _labels_of(kind: str, length: int, scheme: str) -> list[str]:
    labels = [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
    if scheme == "BIOES":
        labels[-1] = f"E-{kind}" if length > 1 else f"S-{kind}"
    return labels
