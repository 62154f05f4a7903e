"""A label without validation lines is logged without figures, and no finding says that it is not learnt; advice in options."""

from __future__ import annotations

import re

import numpy as np

from skol_rnn.cli.common import in_options
from skol_rnn.cli.predict import ADVISED
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.findings import ADVICE, diagnose
from skol_rnn.labels import LabelSet
from skol_rnn.training.log import TrainingLog

LABELS = LabelSet(("Key", "Table", "Misc"))
SCORED = evaluate_labels([1] * 20 + [2] * 80, [2] * 100, LABELS, probabilities=np.full((100, 3), 1 / 3))


def test_only_a_label_that_was_scored_can_fail_to_improve():
    history = {"val_f1/Key": [0.0, 0.0], "val_f1/Table": [0.0, 0.0]}
    found = {
        f.name: f.seen for f in diagnose(labels=LABELS, evaluation=SCORED, history=history, counts=np.full(3, 500))
    }
    assert "'Table'" in found["no-improvement"] and "'Key'" not in found["no-improvement"]
    assert "'Key'" in found["rare-label-missing-in-dev"]


def test_the_line_of_an_epoch_has_no_figures_of_a_label_without_lines(capsys):
    scores = {"loss": 0.5, "val_loss/Key": np.nan, "val_loss/Table": 1.25, "val_loss/Misc": 0.1}
    log = TrainingLog()
    log.start_epoch(1, 2, 10)
    log.end_epoch(1, scores, SCORED)
    line = capsys.readouterr().out
    assert "Table F1 0.0000 loss 1.2500" in line and "Key" not in line and "nan" not in line


def test_evaluate_advises_in_options():
    for advice in {text for of_decision in ADVICE.values() for text in of_decision.values()}:
        assert re.findall(r"\w+=", in_options(advice, ADVISED)) == []
