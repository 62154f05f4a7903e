"""Findings: each at its threshold, in runs that go wrong in that way, with advice that fits the decision."""

from __future__ import annotations

import numpy as np
import pytest
from toy import LABELS

from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.findings import ADVICE, Finding, count_findings, diagnose, summary
from skol_rnn.labels import LabelSet

TWO = LabelSet(("Nomenclature", "Misc"))
COUNTS = np.array([100, 10_000])


def found(name, labels=TWO, **known):
    return [finding for finding in diagnose(labels=labels, **known) if finding.name == name]


def evaluation(true, predicted, labels=TWO, **changes):
    """Evaluate runs of labels: (rare, frequent) counts of the true lines, each with the predicted rare ones."""
    truth = np.repeat([0, 1], true)
    guess = np.concatenate([np.arange(n) >= hits for n, hits in zip(true, predicted, strict=True)]).astype(int)
    return evaluate_labels(truth, guess, labels, **{"important": ["Nomenclature"], **changes})


# -- the four cases of the troubleshooting guide ------------------------------------------------------------


def test_a_high_loss_of_steep_weights_is_no_problem():
    scored = evaluation((100, 900), (60, 30), probabilities=np.full((1000, 2), 0.5))
    known = {"weights": np.array([9.0, 1.0]), "counts": np.array([100, 900]), "evaluation": scored}
    (finding,) = found("high-loss", history={"loss": [2.0, 1.4]}, **known)
    assert "loss is 1.400, the unweighted loss on the validation set 0.693" in finding.seen
    assert "the loss alone shows no problem" in finding.means
    assert "F1" in finding.change
    assert not found("high-loss", history={"loss": [2.0, 1.3]}, **known)


def test_everything_as_the_rare_class_is_a_matter_of_the_weights():
    (finding,) = found("one-class", evaluation=evaluation((40, 160), (40, 160)), decision="argmax")
    assert "all 200 lines got 'Nomenclature'" in finding.seen
    assert "outweighs the more frequent classes" in finding.means
    assert 'class_weights="smoothed"' in finding.change and 'decision="corrected"' in finding.change


def test_a_rare_class_that_does_not_improve_gets_a_remedy_that_fits_the_run():
    known = {"evaluation": evaluation((40, 160), (0, 0)), "history": {"val_f1/Nomenclature": [0.0, 0.0, 0.0]}}
    (finding,) = found("no-improvement", updates=9, **known)
    assert "in 3 epochs: 'Nomenclature' (from 0.000 to 0.000, best 0.000)" in finding.seen
    assert finding.change.startswith("train longer")


def test_a_trained_model_diagnoses_itself_and_other_documents(tiny_model):
    assert all(isinstance(finding, Finding) for finding in tiny_model.findings_)
    assert "too-few-updates" in [finding.name for finding in tiny_model.findings_]
    scored = evaluate_labels([0, 1, 2, 2], [2, 2, 2, 2], LabelSet(tuple(tiny_model.labels_)))
    assert tiny_model.diagnose(scored)[0].name == "one-class"


def test_weights_of_labels_that_do_not_occur_are_reported():
    labels, counts = LabelSet((*LABELS, "Figure")), np.array([40, 120, 240, 0])
    known = {"counts": counts, "weights": np.array([1.0, 1.0, 1.0, 50.0]), "given": {"Figure": 50.0}}
    first, second = found("weights-not-applied", labels, **known)
    assert first.seen == "No training line has these labels: 'Figure' (weight 50)"
    assert second.seen == "All 3 labels that occur have the same class weight"
    known |= {"weights": np.array([4.0, 1.0, 1.0, 1.0]), "given": {"Nomenclature": 4.0}}
    assert not found("weights-not-applied", labels, **known)


# -- each finding at its threshold ------------------------------------------------------------------------


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 1), (0.01, 0)])
def test_a_class_weight_of_0_is_reported_for_labels_that_occur(weight, expected):
    three = LabelSet(tuple(LABELS))
    known = {"weights": np.array([1.0, 0.0, weight]), "counts": np.array([40, 0, 240])}
    assert [finding.seen for finding in found("zero-weight", three, **known)] == [
        "The class weight is 0: 'Misc' (240 lines)"
    ] * expected


@pytest.mark.parametrize(
    ("hits", "extra", "expected"), [(100, 100, 0), (100, 101, 1), (50, 0, 0), (49, 0, 1), (0, 0, 0)]
)
def test_a_share_more_than_twice_off_is_reported(hits, extra, expected):
    assert len(found("share-off", evaluation=evaluation((100, 900), (hits, extra)))) == expected


def test_a_class_never_predicted_and_a_single_class_are_two_findings():
    three = LabelSet(tuple(LABELS))
    scored = evaluate_labels([0, 1, 2, 2], [1, 1, 2, 2], three)
    assert [f.name for f in diagnose(labels=three, evaluation=scored)] == ["never-predicted"]
    assert [f.name for f in diagnose(labels=TWO, evaluation=evaluation((5, 20), (0, 0)))] == ["one-class"]


@pytest.mark.parametrize(("weight", "advised"), [(1.0, True), (99.0, True), (100.0, False), (100 - 1e-12, False)])
def test_argmax_is_advised_larger_weights_only_below_the_ratio_of_the_counts(weight, advised):
    three = LabelSet(tuple(LABELS))
    scored = evaluate_labels([0, 1, 2, 2], [1, 1, 2, 2], three)
    known = {"weights": np.array([weight, 1.0, 1.0]), "counts": np.array([1, 50, 100]), "evaluation": scored}
    (finding,) = found("never-predicted", three, decision="argmax", **known)
    assert ("raise the class weights" in finding.change) is advised
    assert ("oversample" in finding.change) is not advised
    assert 'decision="tuned"' in finding.change


def history(f1, loss):
    return {"loss": loss, "val_important_f1": f1}


@pytest.mark.parametrize(
    ("f1", "loss", "expected"),
    [
        ([0.5, 0.6, 0.57], [1.0, 0.8, 0.7], 1),
        ([0.5, 0.6, 0.59], [1.0, 0.8, 0.7], 0),  # hardly a fall
        ([0.5, 0.6, 0.57], [1.0, 0.8, 0.9], 0),  # the loss rose, too
        ([0.5, 0.6, 0.7], [1.0, 0.8, 0.7], 0),
        ([0.6, 0.5], [1.0, 0.8], 0),  # two epochs are no course
    ],
)
def test_f1_that_falls_while_the_loss_falls(f1, loss, expected):
    assert len(found("f1-falls-while-loss-falls", history=history(f1, loss))) == expected


@pytest.mark.parametrize(
    ("f1", "expected"),
    [([0.0, 0.0], 1), ([0.05, 0.1], 1), ([0.3, 0.305], 0), ([0.3, 0.35], 0), ([0.6, 0.6], 0), ([0.0], 0)],
)
def test_no_improvement(f1, expected):
    known = {"evaluation": evaluation((20, 80), (10, 5)), "history": {"val_f1/Nomenclature": f1}}
    findings = found("no-improvement", **known)
    assert len(findings) == expected
    assert all("does not exceed 0.1" in one.seen for one in findings)


def test_the_remedy_depends_on_updates_then_examples_then_the_decision():
    def change(**known):
        scored = {"evaluation": evaluation((20, 80), (15, 5)), "history": {"val_f1/Nomenclature": [0.0, 0.0]}}
        return found("no-improvement", **scored, **known)[0].change

    light, heavy = np.array([1.0, 1.0]), np.array([100.0, 1.0])
    assert "train longer" in change(updates=199, weights=light, counts=COUNTS)
    assert "annotate more" in change(updates=200, weights=light, counts=np.array([29, 1000]))
    assert "raise the class weights" in change(updates=200, weights=light, counts=COUNTS, decision="argmax")
    assert 'sampling="oversample"' in change(updates=200, weights=heavy, counts=COUNTS, decision="argmax")
    assert 'decision="tuned"' in change(updates=200, weights=light, counts=COUNTS, decision="corrected")


@pytest.mark.parametrize(
    ("support", "name"), [(0, "rare-label-missing-in-dev"), (9, "few-held-out"), (10, None), (11, None)]
)
def test_held_out_documents_without_the_rare_label(support, name):
    names = [f.name for f in diagnose(labels=TWO, evaluation=evaluation((support, 80), (support, 0)), counts=COUNTS)]
    assert names == ([name] if name else [])


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (29, 1), (30, 0)])
def test_few_examples(count, expected):
    assert len(found("few-examples", counts=np.array([count, 1000]))) == expected


@pytest.mark.parametrize(("share", "expected"), [(None, 0), (0.3, 0), (0.31, 1)])
def test_much_padding(share, expected):
    assert len(found("padding", padding_share=share)) == expected


@pytest.mark.parametrize(("updates", "expected"), [(None, 0), (199, 1), (200, 0)])
def test_few_updates(updates, expected):
    assert len(found("too-few-updates", updates=updates)) == expected


@pytest.mark.parametrize(("loss", "expected"), [(0.69, 0), (0.70, 1)])
def test_a_loss_above_guessing_without_weights(loss, expected):
    known = {"weights": np.ones(2), "counts": COUNTS, "history": {"loss": [0.8, loss]}}
    assert len(found("high-loss", **known)) == expected
    assert all(finding.change == "lower learning_rate" for finding in found("high-loss", **known))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"Nomenclature": 10.0}, []),  # some are set, the rest is left: that is what a dict is for
        ({"Nomenclature": 100.0, "Description": 10.0}, []),
        ({"Misc": 0.1}, []),
        ({"Nomenclature": 100.0, "Misc": 0.1}, []),
        ({"Nomenclature": 100.0, "Misc": 5.0}, ["Description"]),
        ({"Description": 5.0}, ["Nomenclature"]),
    ],
)
def test_a_label_without_weight_is_reported_where_a_more_frequent_one_weighs_more(given, expected):
    three = LabelSet(tuple(LABELS))
    weights = np.array([given.get(name, 1.0) for name in three])
    known = {"weights": weights, "counts": np.array([10, 100, 1000]), "given": given}
    findings = found("weights-not-applied", three, **known)
    assert [finding.seen.split("'")[1] for finding in findings] == expected
    assert all("(10 lines; " in f.seen or "(100 lines; " in f.seen for f in findings)


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
        weights=np.array([200.0, 0.0]),
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
        assert any(character.isdigit() for character in finding.seen)
        assert "line" not in finding.seen
        assert not finding.seen.endswith(".")


# -- advice -----------------------------------------------------------------------------------------------

MANY = LabelSet(tuple(f"L{i:02}" for i in range(29)))


def troubled_runs(decision):
    """Diagnose runs with all that can go wrong with the predictions of many labels."""
    true = np.repeat(np.arange(29), [5000, *[200] * 28])
    guesses = [
        np.where(true < 15, 0, true),  # 14 labels are never predicted
        np.zeros_like(true),  # only the most frequent one
        np.full_like(true, 7),  # only a rare one
        np.where(true == 0, np.arange(len(true)) % 12, true),  # eleven labels are predicted too often
        np.where((true > 0) & (np.arange(len(true)) % 3 > 0), 0, true),  # all but one too rarely
    ]
    for counts in (np.bincount(true), np.bincount(true) // 10):
        for guess in guesses:
            for updates in (9, 9000):
                yield diagnose(
                    labels=MANY,
                    evaluation=evaluate_labels(true, guess, MANY),
                    weights=np.ones(29),
                    counts=counts,
                    history={"loss": [1.0, 0.9], **{f"val_f1/{name}": [0.0, 0.0] for name in MANY}},
                    updates=updates,
                    padding_share=0.5,
                    decision=decision,
                )


@pytest.mark.parametrize("decision", ADVICE)
def test_no_advice_is_given_that_the_decision_undoes(decision):
    changes = {finding.change for run in troubled_runs(decision) for finding in run}
    assert changes
    for change in changes:
        assert f'decision="{decision}"' not in change
        if decision != "argmax":  # all others divide class weights and sampling out of the probabilities
            assert "weight" not in change and "sampling" not in change and "oversample" not in change
        if decision in ("auto", "tuned"):
            assert "decision=" not in change


@pytest.mark.parametrize("decision", ADVICE)
def test_advice_fits_a_screen_and_names_the_labels_in_one_finding(decision):
    for run in troubled_runs(decision):
        kinds = [(finding.name, finding.means, finding.change) for finding in run]
        assert len(kinds) == len(set(kinds))
        lines = summary(run)
        assert len(lines) <= 12 and max(map(len, lines)) <= 100
        assert lines[0].startswith(f"! {run[0].seen[:20]}")
        text = " ".join(" ".join(summary(run, lines=999)).split())
        assert all(text.count(f"; {finding.change}.") == 1 for finding in run)
        assert all(finding.seen in text for finding in run)


def test_a_label_is_not_given_the_same_advice_twice():
    true = np.repeat([0, 1, 2], [3, 40, 100])
    scored = evaluate_labels(true, np.where(true == 0, 1, true), LabelSet(tuple(LABELS)))
    run = diagnose(labels=scored.labels, evaluation=scored, counts=np.array([12, 160, 400]), decision="tuned")
    assert [finding.name for finding in run] == ["never-predicted", "few-held-out"]
    assert "annotate more" in run[0].change


def test_a_summary_says_how_many_findings_it_leaves_out():
    run = [Finding("padding", f"Seen {i}", "it means something", f"change {i}") for i in range(20)]
    assert summary(run, lines=5)[-1] == "! ... and 16 more findings"
    assert summary(run[:5], lines=5) == [f"! {finding}" for finding in run[:5]]
    assert summary([]) == []


def test_an_unknown_decision_is_refused():
    with pytest.raises(ValueError, match="decision must be one of argmax, .* but is 'argmin'"):
        diagnose(labels=TWO, decision="argmin")


def test_advice_follows_the_decisions_of_the_decoder():
    from skol_rnn.decoding.offsets import DECISIONS

    assert set(ADVICE) == {"auto", *DECISIONS}


# -- counts -----------------------------------------------------------------------------------------------


def test_counts_name_rare_labels_with_their_figures():
    found = count_findings(["Misc", "Key", "Nomenclature", "Figure"], [100, 40, 7, 1], [10, 2, 7, 1])
    assert [(finding.name, finding.seen) for finding in found] == [
        (
            "few-documents",
            "In fewer than 5 documents: 'Key' (40 lines in 2 documents), 'Figure' (1 line in 1 document)",
        ),
        ("few-examples", "Fewer than 30 lines: 'Nomenclature' (7 lines)"),
    ]
    assert all("annotate more" in finding.change for finding in found)


@pytest.mark.parametrize(("count", "expected"), [(0, ["no-examples"]), (29, ["few-examples"]), (30, [])])
def test_thirty_examples_are_enough_where_documents_are_unknown(count, expected):
    found = count_findings(["Misc", "Key"], [900, count], [float("nan")] * 2, "token")
    assert [finding.name for finding in found] == expected


@pytest.mark.parametrize(("documents", "expected"), [(4, 1), (5, 0)])
def test_five_documents_are_enough(documents, expected):
    assert len(count_findings(["a"], [60], [documents])) == expected
