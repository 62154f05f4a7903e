"""Token labels in BIO or BIOES: parse them, make them from spans, and turn them back into spans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from skol_rnn.data.spans import Span, SpanRules, choose_spans
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, plural

OUTSIDE = "O"
BEGIN, INSIDE = "B-", "I-"
STRAY = ("begin", "drop", "error")
Token = tuple[int, int]


def is_bio(labels: Iterable[str], *, complete: bool = True) -> bool:
    """Return whether labels are BIO: O, B-X and I-X; if ``complete``, each I-X needs its B-X among them."""
    tags = set(labels) - {OUTSIDE}
    if not tags or not all(tag[:2] in (BEGIN, INSIDE) and tag[2:] for tag in tags):
        return False
    return not complete or all(BEGIN + tag[2:] in tags for tag in tags)


def split_label(label: str | None) -> tuple[str, str]:
    """Split a label into prefix and type; the type of O and of a missing label is empty."""
    if label is None or label == OUTSIDE or label != label:
        return OUTSIDE, ""
    if not isinstance(label, str) or len(label) < 3 or label[1] != "-" or label[0] not in "BIES":
        raise DataError(f"{label!r} is not a token label: give O, or B-, I-, E- or S- followed by a type.")
    return label[0], label[2:]


def span_types(labels: Iterable[str | None]) -> tuple[str, ...]:
    """List the types that occur in token labels, sorted."""
    return tuple(sorted({split_label(label)[1] for label in {*labels}} - {""}))


class Encoding(NamedTuple):
    """Token labels, and the spans that they do not represent exactly: ``lost`` with the reason, ``moved`` to offsets."""

    labels: tuple[str, ...]
    lost: tuple[tuple[int, str], ...]
    moved: tuple[tuple[int, Token], ...]


def encode_spans(tokens: Sequence[Token], spans: Sequence[Span], rules: SpanRules | None = None) -> Encoding:
    """Label each token by the span that covers it."""
    rules = rules or SpanRules()
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    ranges: dict[int, tuple[int, int]] = {}  # first token and end of each span that has a token
    lost, moved = [], []
    for index, (start, end, _) in enumerate(spans):
        if rules.alignment == "overlap":
            first, stop = bisect_right(ends, start), bisect_left(starts, end)
        else:
            first, stop = bisect_left(starts, start), bisect_right(ends, end)
        if first < stop:
            ranges[index] = first, stop
        else:
            lost.append((index, "no token in it" if rules.alignment == "overlap" else "no whole token in it"))
    kept, left_out = choose_spans(spans, rules, ranges)
    labels = [OUTSIDE] * len(tokens)
    for index in kept:
        (first, stop), (start, end, kind) = ranges[index], spans[index]
        labels[first:stop] = [BEGIN + kind] + [INSIDE + kind] * (stop - first - 1)
        if rules.scheme == "BIOES":
            labels[stop - 1] = f"E-{kind}" if stop - first > 1 else f"S-{kind}"
        if (found := (starts[first], ends[stop - 1])) != (start, end):
            moved.append((index, found))
    return Encoding(tuple(labels), tuple(sorted(lost + left_out)), tuple(sorted(moved)))


def decode_spans(tokens: Sequence[Token], labels: Sequence[str | None], *, stray: str = "begin") -> list[Span]:
    """Return the spans of token labels; ``stray`` sets how an I or E that continues no span is read."""
    if len(tokens) != len(labels):
        raise ValueError(f"{plural(len(labels), 'label')} for {plural(len(tokens), 'token')}.")
    check_choice("stray", stray, STRAY)
    strays = stray_positions(labels, drop=stray == "drop")
    if strays and stray == "error":
        shown = ((i, labels[i], labels[i - 1] if i else "nothing") for i in strays)
        raise DataError("; ".join(f"token {i} is {label} after {before}" for i, label, before in shown))
    spans: list[Span] = []
    remaining = set(strays)
    for position, ((start, end), label) in enumerate(zip(tokens, labels, strict=True)):
        prefix, kind = split_label(label)
        if prefix in "IE" and position not in remaining:
            spans[-1] = (spans[-1][0], end, kind)
        elif kind and not (stray == "drop" and position in remaining):
            spans.append((start, end, kind))
    return spans


def stray_positions(labels: Sequence[str | None], *, drop: bool = False) -> list[int]:
    """List the positions of I and E labels that continue no span; unless dropped, each begins one."""
    positions = []
    running = ""  # type of the span that the next label may continue
    for position, label in enumerate(labels):
        prefix, kind = split_label(label)
        stray = prefix in "IE" and kind != running
        if stray:
            positions.append(position)
        running = "" if prefix in "ES" or (stray and drop) else kind
    return positions
