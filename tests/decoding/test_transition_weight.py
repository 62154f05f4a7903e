"""Transitions are believed as far as they help on documents that were not trained on."""

from __future__ import annotations

import numpy as np
import pytest

from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.correction import Correction
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import metric_value
from skol_rnn.decoding.transitions import learn_transitions, viterbi
from skol_rnn.decoding.tuning import tuned_transition_weight
from skol_rnn.labels import NO_LABEL, LabelSet

LABELS = LabelSet(("Nomenclature", "Description", "Misc"))


def blocks(seed, documents=12, length=150, clear=1.0):
    """Draw documents of long blocks, and posteriors of lines that are looked at one by one."""
    rng = np.random.default_rng(seed)
    true = np.concatenate(
        [np.repeat(rng.permutation(3), rng.multinomial(length, [1 / 3] * 3)) for _ in range(documents)]
    )
    scores = rng.normal(size=(len(true), 3)) + clear * np.eye(3)[true]
    p = np.exp(clear * scores)
    return true, p / p.sum(1, keepdims=True), np.repeat([f"doc{i}" for i in range(documents)], length)


def test_transitions_that_know_what_the_lines_do_not_are_believed():
    true, p, documents = blocks(0)
    transitions = learn_transitions(blocks(1)[0], [150] * 12, 3)
    strength = tuned_transition_weight(p, true, LABELS, documents, transitions)
    unseen_true, unseen, _ = blocks(2)
    with_them = metric_value(unseen_true, viterbi(unseen, [150] * 12, transitions, strength), LABELS)
    assert strength >= 0.6
    assert with_them > metric_value(unseen_true, np.argmax(unseen, axis=1), LABELS) + 0.2


def test_transitions_that_the_posterior_knows_already_are_not():
    # Every label follows every other at random, but training said that labels go on.
    rng = np.random.default_rng(3)
    true = rng.integers(0, 3, 1800)
    p = np.exp(rng.normal(size=(1800, 3)) + 2 * np.eye(3)[true])
    p /= p.sum(1, keepdims=True)
    transitions = learn_transitions(blocks(1)[0], [150] * 12, 3)
    assert tuned_transition_weight(p, true, LABELS, np.repeat(list("abcdefghijkl"), 150), transitions) == 0.0


@pytest.mark.parametrize("documents", [[], ["a"] * 40])
def test_without_labels_or_folds_there_is_none(documents):
    true = np.full(len(documents), NO_LABEL)
    transitions = learn_transitions(np.array([0, 1, 2]), [3], 3)
    assert tuned_transition_weight(np.full((len(documents), 3), 1 / 3), true, LABELS, documents, transitions) == 0.0
    assert tuned_transition_weight(np.full((40, 3), 1 / 3), np.zeros(40, int), LABELS, ["a"] * 40, transitions) == 0.0


def test_the_decoder_uses_and_keeps_it():
    true, p, _ = blocks(0, documents=1)
    transitions = learn_transitions(true, [150], 3)
    decoder = Decoder(Correction(np.ones(3)), np.zeros(3), transitions, Calibration(1.0, np.zeros(3)), 0.35)
    again = Decoder.from_arrays(decoder.arrays())
    assert again.transition_weight == 0.35
    for one in (decoder, again):
        np.testing.assert_array_equal(one.decide(p, [150], "viterbi"), viterbi(p, [150], transitions, 0.35))
