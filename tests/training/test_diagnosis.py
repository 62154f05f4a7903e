"""What is said of a run that goes wrong: each finding at its threshold, and runs that go wrong in that way."""

from __future__ import annotations

import numpy as np
import pytest
from skol_rnn.evaluation.weight_findings import Finding
from skol_rnn.training.diagnosis import diagnose
from toy import LABELS, SMALL, toy_table

from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel

TWO = LabelSet(("Nomenclature", "Misc"))
COUNTS = np.array([100, 10_000])


def found(name, labels=TWO, **known):
    return [finding for finding in diagnose(labels=labels, **known) if finding.name == name]


def evaluation(true, predicted, labels=TWO, **changes):
    """Evaluate runs of labels: (rare, frequent) counts of the true lines, each with the predicted rare ones."""
    truth = np.repeat([0, 1], true)
    guess = np.concatenate([np.arange(n) >= hits for n, hits in zip(true, predicted, strict=True)]).astype(int)
    return evaluate_labels(truth, guess, labels, **{"important": ["Nomenclature"], **changes})


# -- the four cases of the troubleshooting guide, each from a run that goes wrong in that way -------------


def ambiguous_table(documents, lines=100, seed=0):
    """Make documents whose rare label cannot be told from the words in half of the cases."""
    table = toy_table(documents, lines, seed)
    table["label"] = np.where(np.arange(len(table)) % 25 == 7, "Nomenclature", "Misc")
    table["value"] = "the authors thank their friends for help"
    table.loc[(table.index % 50 == 7), "value"] = "Genus species Author 1899"
    return table


def run(table, labels=tuple(LABELS), **changes):
    settings = {
        **SMALL,
        "epochs": 3,
        "learning_rate": 0.02,
        "important": ["Nomenclature"],
        "validation_fraction": 0.3,
        "linear_share": 0,
    }
    return RNNSkolModel(**{**settings, **changes}).fit(table, labels=list(labels))


def named(model, name):
    return [finding for finding in model.findings_ if finding.name == name]


def test_a_high_loss_of_steep_weights_is_told_from_trouble():
    model = run(ambiguous_table(10), ["Nomenclature", "Misc"], class_weights="inverse", epochs=4)
    (finding,) = named(model, "high-loss")
    assert f"{model.history_['loss'][-1]:.3f}" in finding.seen
    assert "no sign of trouble" in finding.means
    assert "F1" in finding.change


def test_everything_as_the_rare_class_is_laid_to_the_weights():
    weights = {"Nomenclature": 1000.0, "Description": 100.0, "Misc": 0.01}
    model = run(toy_table(10), class_weights=weights, decision="argmax", learning_rate=0.003)
    (finding,) = named(model, "one-class")
    assert "lines got 'Nomenclature'" in finding.seen
    assert "too steep" in finding.means
    assert 'decision="corrected"' in finding.change
    steep = named(model, "weights-too-steep")
    assert "'Nomenclature' weighs 100,000.0 times as much as 'Misc' but is only 4.0 times rarer" in steep[0].seen
    # What is advised helps: the weights of the advice, decided as advised.
    better = run(toy_table(10), class_weights="smoothed", decision="corrected", epochs=8)
    assert not {"one-class", "weights-too-steep"} & {finding.name for finding in better.findings_}


def test_a_rare_class_that_does_not_improve_gets_a_remedy_that_fits_the_run():
    few = run(toy_table(10), class_weights=None, learning_rate=1e-4)
    (finding,) = named(few, "no-improvement")
    assert "F1 of 'Nomenclature' went from 0.000 to 0.000 in 3 epochs" in finding.seen
    assert "18 updates are few" in finding.change
    enough = run(toy_table(10), class_weights=None, learning_rate=1e-4, batch_size=1, stride=1)
    (finding,) = named(enough, "no-improvement")
    assert 'class_weights="smoothed"' in finding.change


def test_weights_that_are_applied_to_nothing_are_said():
    model = run(toy_table(10), [*LABELS, "Figure"], class_weights={"Figure": 50.0})
    first, second = named(model, "weights-not-applied")
    assert "'Figure' was given the weight 50, but no training line has it" in first.seen
    assert "All labels that occur weigh 1" in second.seen
    weighted = run(toy_table(10), class_weights={"Nomenclature": 4.0})
    assert not named(weighted, "weights-not-applied")


# -- each finding at its threshold ------------------------------------------------------------------------


@pytest.mark.parametrize(("weight", "told"), [(999.0, 0), (1001.0, 1)])
def test_weights_are_too_steep_beyond_ten_times_the_counts_ratio(weight, told):
    assert len(found("weights-too-steep", weights=np.array([weight, 1.0]), counts=COUNTS)) == told


def test_steep_weights_mean_something_else_by_decision():
    def means(decision):
        known = {"weights": np.array([1e5, 1.0]), "counts": COUNTS, "decision": decision}
        return found("weights-too-steep", **known)[0].means

    assert "argmax floods" in means("argmax")
    assert "learnt less well" in means("corrected")


def test_a_majority_of_weight_0_is_infinitely_light():
    (finding,) = found("weights-too-steep", weights=np.array([1.0, 0.0]), counts=COUNTS)
    assert "infinitely more" in finding.seen


@pytest.mark.parametrize(("hits", "extra", "told"), [(100, 100, 0), (100, 101, 1), (50, 0, 0), (49, 0, 1), (0, 0, 0)])
def test_a_share_more_than_twice_off_is_told(hits, extra, told):
    assert len(found("share-off", evaluation=evaluation((100, 900), (hits, extra)))) == told


def test_a_class_never_predicted_and_a_single_class_are_told_apart():
    three = LabelSet(tuple(LABELS))
    scored = evaluate_labels([0, 1, 2, 2], [1, 1, 2, 2], three)
    assert [f.name for f in diagnose(labels=three, evaluation=scored)] == ["never-predicted"]
    assert [f.name for f in diagnose(labels=TWO, evaluation=evaluation((5, 20), (0, 0)))] == ["one-class"]


@pytest.mark.parametrize(("weight", "advised"), [(1.0, True), (100.0, True), (101.0, False)])
def test_no_larger_weight_is_advised_for_a_label_that_weighs_enough(weight, advised):
    three = LabelSet(tuple(LABELS))
    scored = evaluate_labels([0, 1, 2, 2], [1, 1, 2, 2], three)
    known = {"weights": np.array([weight, 1.0, 1.0]), "counts": np.array([1, 50, 100]), "evaluation": scored}
    (finding,) = found("never-predicted", three, **known)
    assert ("larger class weight" in finding.change) is advised
    assert "oversample" in finding.change


def history(f1, loss):
    return {"loss": loss, "val_important_f1": f1}


@pytest.mark.parametrize(
    ("f1", "loss", "told"),
    [
        ([0.5, 0.6, 0.57], [1.0, 0.8, 0.7], 1),
        ([0.5, 0.6, 0.59], [1.0, 0.8, 0.7], 0),  # hardly a fall
        ([0.5, 0.6, 0.57], [1.0, 0.8, 0.9], 0),  # the loss rose, too
        ([0.5, 0.6, 0.7], [1.0, 0.8, 0.7], 0),
        ([0.6, 0.5], [1.0, 0.8], 0),  # two epochs are no course
    ],
)
def test_f1_that_falls_while_the_loss_falls(f1, loss, told):
    assert len(found("f1-falls-while-loss-falls", history=history(f1, loss))) == told


@pytest.mark.parametrize(
    ("f1", "told"),
    [([0.0, 0.0], 1), ([0.05, 0.1], 1), ([0.3, 0.305], 1), ([0.3, 0.35], 0), ([0.6, 0.6], 0), ([0.0], 0)],
)
def test_no_improvement(f1, told):
    known = {"evaluation": evaluation((20, 80), (10, 5)), "history": {"val_f1/Nomenclature": f1}}
    assert len(found("no-improvement", **known)) == told


def test_the_remedy_goes_by_updates_then_weight_then_examples_then_sampling():
    def change(**known):
        scored = {"evaluation": evaluation((20, 80), (0, 5)), "history": {"val_f1/Nomenclature": [0.0, 0.0]}}
        return found("no-improvement", **scored, **known)[0].change

    light, heavy = np.array([1.0, 1.0]), np.array([10.0, 1.0])
    assert "199 updates are few" in change(updates=199, weights=light, counts=COUNTS)
    assert "raise its weight" in change(updates=200, weights=light, counts=COUNTS)
    assert "29 lines are few" in change(updates=200, weights=heavy, counts=np.array([29, 1000]))
    assert 'sampling="oversample"' in change(updates=200, weights=heavy, counts=COUNTS)


@pytest.mark.parametrize(
    ("support", "name"), [(0, "rare-label-missing-in-dev"), (9, "few-held-out"), (10, None), (11, None)]
)
def test_held_out_documents_without_the_rare_label(support, name):
    names = [f.name for f in diagnose(labels=TWO, evaluation=evaluation((support, 80), (support, 0)), counts=COUNTS)]
    assert names == ([name] if name else [])


@pytest.mark.parametrize(("count", "told"), [(0, 0), (1, 1), (29, 1), (30, 0)])
def test_few_examples(count, told):
    assert len(found("few-examples", counts=np.array([count, 1000]))) == told


@pytest.mark.parametrize(("share", "told"), [(None, 0), (0.3, 0), (0.31, 1)])
def test_much_padding(share, told):
    assert len(found("padding", padding_share=share)) == told


@pytest.mark.parametrize(("updates", "told"), [(None, 0), (199, 1), (200, 0)])
def test_few_updates(updates, told):
    assert len(found("too-few-updates", updates=updates)) == told


@pytest.mark.parametrize(("loss", "told"), [(0.69, 0), (0.70, 1)])
def test_a_loss_above_guessing_without_weights(loss, told):
    known = {"weights": np.ones(2), "counts": COUNTS, "history": {"loss": [0.8, loss]}}
    assert len(found("high-loss", **known)) == told
    assert all(finding.change == "lower learning_rate" for finding in found("high-loss", **known))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Nomenclature": 10.0}, []),  # some are set, the rest is left: that is what a dict is for
        ({"Nomenclature": 100.0, "Description": 10.0}, []),
        ({"Misc": 0.1}, []),
        ({"Nomenclature": 100.0, "Misc": 0.1}, []),
        ({"Nomenclature": 100.0, "Misc": 5.0}, ["Description"]),
        ({"Description": 5.0}, ["Nomenclature"]),
    ],
)
def test_a_label_left_out_of_the_weights_is_told_where_a_more_frequent_one_weighs_more(given, told):
    three = LabelSet(tuple(LABELS))
    weights = np.array([given.get(name, 1.0) for name in three])
    known = {"weights": weights, "counts": np.array([10, 100, 1000]), "given": given}
    findings = found("weights-not-applied", three, **known)
    assert [finding.seen.split("'")[1] for finding in findings] == told
    assert all("10 lines against" in f.means or "100 lines against" in f.means for f in findings)


def test_a_weight_by_entity_type_counts_for_both_of_its_tags():
    labels = LabelSet(("B-PER", "I-PER", "O"))
    known = {"weights": np.array([5.0, 5.0, 1.0]), "given": {"PER": 5.0}}
    assert not found("weights-not-applied", labels, counts=np.array([10, 0, 1000]), **known)
    assert found("weights-not-applied", labels, counts=np.array([0, 0, 1000]), **known)


def test_nothing_known_is_nothing_found():
    assert diagnose(labels=TWO) == []


def test_a_finding_is_one_sentence_with_figures_meaning_and_remedy():
    everything = diagnose(
        labels=TWO,
        evaluation=evaluation((5, 900), (0, 0), unit="token"),
        weights=np.array([1e5, 1.0]),
        counts=np.array([5, 1000]),
        history={**history([0.2, 0.1, 0.0], [1.0, 0.9, 0.8]), "val_f1/Nomenclature": [0.0, 0.0, 0.0]},
        padding_share=0.5,
        updates=10,
        unit="token",
    )
    assert len({finding.name for finding in everything}) == 8
    for finding in everything:
        assert isinstance(finding, Finding)
        assert str(finding) == f"{finding.seen}; {finding.means}; {finding.change}."
        assert str(finding).count(". ") == 0
        assert any(character.isdigit() for character in finding.seen)
        assert "line" not in finding.seen
