"""Labelled stretches of characters: to token labels and back, scores, boundary errors and pictures."""

from skol_rnn.spans.bio import Encoding, decode_spans, encode_spans, span_types, token_labels
from skol_rnn.spans.rules import OverlapError, Span, SpanRules, check_spans, refuse_overlaps, resolve_overlaps

__all__ = [
    "Encoding",
    "OverlapError",
    "Span",
    "SpanRules",
    "check_spans",
    "decode_spans",
    "encode_spans",
    "refuse_overlaps",
    "resolve_overlaps",
    "span_types",
    "token_labels",
]
