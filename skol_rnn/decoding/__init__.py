"""From probabilities to one label a line: undo the tilt of training, calibrate, tune offsets, decide."""

from skol_rnn.decoding.calibration import calibration_error, class_calibration_errors, mean_shares
from skol_rnn.decoding.correction import Correction, correct_probabilities
from skol_rnn.decoding.cross_tuning import cross_tuned_offsets
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import DECISIONS, METRICS, decide, metric_value, tune_offsets
from skol_rnn.decoding.rules import DEFAULT_RULES, SequenceRule, apply_sequence_rules
from skol_rnn.decoding.scaling import CALIBRATIONS, Scaling, fit_scaling
from skol_rnn.decoding.strength import tuned_strength
from skol_rnn.decoding.transitions import Transitions, declared_transitions, learn_transitions, viterbi

__all__ = [
    "CALIBRATIONS",
    "DECISIONS",
    "DEFAULT_RULES",
    "METRICS",
    "Correction",
    "Decoder",
    "Scaling",
    "SequenceRule",
    "Transitions",
    "apply_sequence_rules",
    "calibration_error",
    "class_calibration_errors",
    "correct_probabilities",
    "cross_tuned_offsets",
    "decide",
    "declared_transitions",
    "fit_scaling",
    "learn_transitions",
    "mean_shares",
    "metric_value",
    "tune_offsets",
    "tuned_strength",
    "viterbi",
]
