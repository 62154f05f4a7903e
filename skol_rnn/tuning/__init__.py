"""Search for the class weights, the loss and the decision that serve rare labels best."""

from skol_rnn.tuning.result import TrialReport, TuningResult
from skol_rnn.tuning.search import tune_class_weights
from skol_rnn.tuning.space import SEARCHES

__all__ = ["SEARCHES", "TrialReport", "TuningResult", "tune_class_weights"]
