"""From probabilities to one label a line: undo the tilt of training, calibrate, tune offsets, decide.

The rules over predictions, which are a DataFrame, are imported when they are first asked for: all else needs no pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from skol_rnn.decoding.bio import bio_transitions, is_bio, legal_steps, only_legal
from skol_rnn.decoding.calibration import calibration_error, class_calibration_errors, mean_shares
from skol_rnn.decoding.correction import Correction, correct_probabilities
from skol_rnn.decoding.cross_tuning import OffsetChoice, cross_tuned_offsets
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.fragments import FragmentScorer
from skol_rnn.decoding.offsets import DECISIONS, METRICS, decide, metric_value, prior_offsets, tune_offsets
from skol_rnn.decoding.scaling import CALIBRATIONS, Scaling, fit_scaling
from skol_rnn.decoding.sequences import best_sequences
from skol_rnn.decoding.span_tuning import SpanDecision, SpanTuning
from skol_rnn.decoding.strength import tuned_strength
from skol_rnn.decoding.transitions import (
    Transitions,
    at_strength,
    declared_transitions,
    learn_transitions,
    viterbi,
)

if TYPE_CHECKING:
    from skol_rnn.decoding.rules import DEFAULT_RULES, SequenceRule, apply_sequence_rules

__all__ = [
    "CALIBRATIONS",
    "DECISIONS",
    "DEFAULT_RULES",
    "METRICS",
    "Correction",
    "Decoder",
    "FragmentScorer",
    "OffsetChoice",
    "Scaling",
    "SequenceRule",
    "SpanDecision",
    "SpanTuning",
    "Transitions",
    "apply_sequence_rules",
    "at_strength",
    "best_sequences",
    "bio_transitions",
    "calibration_error",
    "class_calibration_errors",
    "correct_probabilities",
    "cross_tuned_offsets",
    "decide",
    "declared_transitions",
    "fit_scaling",
    "is_bio",
    "learn_transitions",
    "legal_steps",
    "mean_shares",
    "metric_value",
    "only_legal",
    "prior_offsets",
    "tune_offsets",
    "tuned_strength",
    "viterbi",
]

_RULES = ("DEFAULT_RULES", "SequenceRule", "apply_sequence_rules")


def __getattr__(name: str) -> Any:
    if name in _RULES:
        return getattr(importlib.import_module("skol_rnn.decoding.rules"), name)
    raise AttributeError(f"module 'skol_rnn.decoding' has no attribute {name!r}")
