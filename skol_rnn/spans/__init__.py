"""Labelled stretches of characters: to token labels and back, scores, boundary errors and pictures."""

from skol_rnn.spans.bio import Encoding, decode_spans, encode_spans, span_types, token_labels
from skol_rnn.spans.boundaries import boundary_errors, span_outcomes
from skol_rnn.spans.pictures import show_spans
from skol_rnn.spans.pictures_html import spans_html
from skol_rnn.spans.rules import OverlapError, Span, SpanRules, check_spans, refuse_overlaps, resolve_overlaps
from skol_rnn.spans.scores import (
    SpanScore,
    SpanScores,
    fragment_scores,
    spans_of_labels,
    strict_scores,
    strict_scores_of_labels,
)

__all__ = [
    "Encoding",
    "OverlapError",
    "Span",
    "SpanScore",
    "SpanScores",
    "SpanRules",
    "boundary_errors",
    "check_spans",
    "decode_spans",
    "encode_spans",
    "fragment_scores",
    "refuse_overlaps",
    "resolve_overlaps",
    "show_spans",
    "span_outcomes",
    "span_types",
    "spans_html",
    "spans_of_labels",
    "strict_scores",
    "strict_scores_of_labels",
    "token_labels",
]
