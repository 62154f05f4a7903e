"""Loss weights from how rare each label is: strategies, checks, scaling, and the frozen file; no model needed."""

from __future__ import annotations

from skol_rnn.class_weights.files import ENDINGS, check_ending
from skol_rnn.class_weights.frozen import ClassWeights
from skol_rnn.class_weights.resolve import describe_weights, normalise_weights, resolve_class_weights
from skol_rnn.class_weights.strategies import (
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    STRATEGIES,
    Strategy,
    check_strategy,
    class_weight_strategy,
    compare_strategies,
)
from skol_rnn.distribution import distribution_table, label_counts, label_distribution

__all__ = [
    "DEFAULT_ALPHA",
    "DEFAULT_BETA",
    "ENDINGS",
    "STRATEGIES",
    "ClassWeights",
    "Strategy",
    "check_ending",
    "check_strategy",
    "class_weight_strategy",
    "compare_strategies",
    "describe_weights",
    "distribution_table",
    "label_counts",
    "label_distribution",
    "normalise_weights",
    "resolve_class_weights",
]
