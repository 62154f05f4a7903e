"""Token labels in BIO or BIOES: parse them, make them from spans, and turn them back into spans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skol_rnn.data.spans import OverlapError, Span, SpanRules, overlap_problems, resolve_overlaps
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

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
        raise DataError(f"{label!r} is no label of a token: give O, or B-, I-, E- or S- followed by a type.")
    return label[0], label[2:]


def token_labels(types: Iterable[str], scheme: str = "BIO") -> tuple[str, ...]:
    """List the token labels of some span types: O, then those of each type in sorted order."""
    prefixes = "BI" if scheme == "BIO" else "BIES"
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in sorted(set(types)) for prefix in prefixes))


def span_types(labels: Iterable[str | None]) -> tuple[str, ...]:
    """List the types that occur in token labels, sorted."""
    return tuple(sorted({split_label(label)[1] for label in {*labels}} - {""}))


@dataclass(frozen=True)
class Encoding:
    """Token labels, and the spans that they do not represent exactly: ``lost`` with the reason, ``moved`` to offsets."""

    labels: tuple[str, ...]
    lost: tuple[tuple[int, str], ...] = ()
    moved: tuple[tuple[int, Token], ...] = ()


def encode_spans(tokens: Sequence[Token], spans: Sequence[Span], rules: SpanRules | None = None) -> Encoding:
    """Label each token by the span that covers it."""
    rules = rules or SpanRules()
    ranges, lost = _token_ranges(tokens, spans, rules.alignment)
    positions = list(ranges)
    covered = [spans[index] for index in positions]
    claimed = [(first, last + 1, spans[index][2]) for index, (first, last) in ranges.items()]
    kept = list(range(len(positions)))
    if rules.overlap != "error":
        kept, left_out = resolve_overlaps(covered, rules.overlap, rules.priority, claimed)
        lost += [(positions[a], f"overlaps {list(covered[b])}") for a, b in left_out]
    elif problems := overlap_problems(covered, claimed):
        raise OverlapError([(positions[index], reason) for index, reason in problems])
    labels = [OUTSIDE] * len(tokens)
    moved = []
    for chosen in kept:
        first, end, kind = claimed[chosen]
        labels[first:end] = _span_labels(kind, end - first, rules.scheme)
        found = (tokens[first][0], tokens[end - 1][1])
        if found != covered[chosen][:2]:
            moved.append((positions[chosen], found))
    return Encoding(tuple(labels), tuple(sorted(lost)), tuple(sorted(moved)))


def decode_spans(tokens: Sequence[Token], labels: Sequence[str | None], *, stray: str = "begin") -> list[Span]:
    """Return the spans of token labels; ``stray`` says what an I or E that continues no span does."""
    if len(tokens) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(tokens)} tokens.")
    if stray not in STRAY:
        raise ValueError(f"stray is {stray!r}, not one of {', '.join(STRAY)}.{suggestion(str(stray), STRAY)}")
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


def _span_labels(kind: str, length: int, scheme: str) -> list[str]:
    labels = [f"{BEGIN}{kind}", *[f"{INSIDE}{kind}"] * (length - 1)]
    if scheme == "BIOES":
        labels[-1] = f"E-{kind}" if length > 1 else f"S-{kind}"
    return labels
