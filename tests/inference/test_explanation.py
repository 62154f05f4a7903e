"""What speaks for and against a label: sums are exact, and agree with finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy import toy_table

from skol_rnn import BundleError, Document, RNNSkolModel, explain, load_serving
from skol_rnn.inference.explanation import Explainer, explain_rows

LINES = [
    "Genus1 species2 Author 1850",
    "pileus 3 mm broad, spores smooth, 4 wide",
    "the authors thank their friends for help",
] * 3


@pytest.fixture(scope="module")
def instant():
    return RNNSkolModel(preset="instant", verbosity=0).fit(toy_table())


def test_contributions_and_bias_sum_to_the_scores_of_the_linear_model(instant):
    predictor = instant._predictor
    explainer = Explainer.of(predictor, Document("a", "\n".join(LINES)))
    whys = [[explainer.line(line, label) for label in instant.labels_] for line in range(len(LINES))]
    for row in whys:
        for why in row:
            assert why.score == pytest.approx(why.bias + sum(one.value for one in why.contributions))
    scores = np.array([[why.score for why in row] for row in whys])
    found = 1 / (1 + np.exp(-scores))
    features = predictor.features.in_one_bag(explainer.features)
    expected = predictor.linear.probabilities(features, [len(LINES)])
    np.testing.assert_allclose(found / found.sum(axis=1, keepdims=True), expected, atol=1e-6)


def test_a_contribution_is_what_the_score_loses_without_the_word(instant):
    """Without the weights of a word's features, the score is lower by what the word is said to add."""
    predictor = instant._predictor
    explainer = Explainer.of(predictor, LINES)
    before = explainer.line(1, "Description")
    known = predictor.features.described(LINES[1])
    ids = [i for i, (kind, what) in known.items() if (kind, what) == ("word", "spores")]
    assert len(ids) > 1  # the word, and its affixes
    words = predictor.linear.words.copy()
    words[ids, 0] = 0  # the line's own side
    without = replace(predictor, linear=replace(predictor.linear, words=words))
    after = replace(explainer, predictor=without).line(1, "Description")
    added = {(one.kind, one.what): one.value for one in before.contributions}
    assert before.score - after.score == pytest.approx(added["word", "spores"], abs=1e-9)
    assert added["word", "spores"] != 0
    # And a neighbour's words are those that are read from its side.
    words = predictor.linear.words.copy()
    words[:, 1] = 0
    without = replace(predictor, linear=replace(predictor.linear, words=words))
    after = replace(explainer, predictor=without).line(1, "Description")
    (line_before,) = (value for (kind, what), value in added.items() if kind == "line" and what.startswith("-1"))
    assert before.score - after.score == pytest.approx(line_before, abs=1e-9)


def test_what_speaks_for_a_name(instant):
    why = explain(instant, LINES, 1, "Description")
    speak_for, against = why.top(3)
    assert all(one.value > 0 for one in speak_for)
    assert all(one.value < 0 for one in against)
    assert {one.kind for one in why.contributions} == {"word", "pair", "shape", "layout", "line"}
    assert str(why).startswith("for Description: ")
    assert explain(instant, LINES, 1).label == "Description"


def test_no_word_of_a_document_reaches_a_terminal(instant):
    assert "\x1b" not in str(explain(instant, [*LINES, "\x1b[31mspores smooth"], len(LINES) - 1))


def test_the_network_by_gradient_times_input(tiny_bundle):
    serving = load_serving(tiny_bundle, backend="keras")
    explainer = Explainer.of(serving.predictor, LINES)
    why = explainer.line(1, "Description", "network")
    added = {(one.kind, one.what): one.value for one in why.contributions}
    assert why.score == pytest.approx(why.bias + sum(added.values()))
    # The logit is the network's own.
    rows = np.arange(len(LINES))[None]
    label = serving.labels.index("Description")
    runner = serving.predictor.runner
    assert why.score == pytest.approx(float(runner.logits(explainer.features, rows)[0, 1, label]), abs=1e-4)
    # A number, a little larger: its slope times its value is the contribution.
    name = "log length"
    column, step = serving.predictor.features.number_names.index(name), 1e-2
    moved = []
    for sign in (1, -1):
        numbers = explainer.features.numbers.copy()
        numbers[1, column] += sign * step
        moved.append(runner.logits(explainer.features._replace(numbers=numbers), rows)[0, 1, label])
    slope = (float(moved[0]) - float(moved[1])) / (2 * step)
    value = float(explainer.features.numbers[1, column])
    assert slope * value == pytest.approx(added["layout", name], rel=2e-2, abs=1e-4)
    # The embeddings of the words that only this line has, a little longer: what they add is the slope.
    explainer = Explainer.of(serving.predictor, LINES[:3])
    added = {(one.kind, one.what): one.value for one in explainer.line(1, "Description", "network").contributions}
    ids, rows = explainer.features.ids, np.arange(3)[None]
    known = serving.predictor.features.described(LINES[1])
    alone = [i for i, (kind, what) in known.items() if (kind, what) == ("word", "spores")]
    assert alone
    assert not np.isin(ids[[0, 2]], alone).any()
    (bag,) = (layer for layer in runner.network.layers if layer.name == "bag")
    weights, moved = np.asarray(bag.embeddings), []
    for sign in (1, -1):
        changed = weights.copy()
        changed[alone] *= 1 + sign * step
        bag.embeddings.assign(changed)
        moved.append(float(runner.logits(explainer.features, rows)[0, 1, label]))
    assert (moved[0] - moved[1]) / (2 * step) == pytest.approx(added["word", "spores"], rel=2e-2, abs=1e-4)


def test_errors(instant, tiny_bundle):
    with pytest.raises(ValueError, match="line must be from 0 to 8, a row of document, but is 9"):
        explain(instant, LINES, 9)
    with pytest.raises(ValueError, match=r"no label 'Descripton', .* Did you mean 'Description'"):
        explain(instant, LINES, 0, "Descripton")
    with pytest.raises(ValueError, match="part must be one of"):
        explain(instant, LINES, 0, part="net")
    with pytest.raises(BundleError, match="has no network"):
        explain(instant, LINES, 0, part="network")
    with pytest.raises(BundleError, match='backend="keras"'):
        explain(load_serving(tiny_bundle, backend="onnx"), LINES, 0, part="network")
    with pytest.raises(TypeError, match="a Document or a list of lines"):
        explain(instant, "text", 0)
    with pytest.raises(TypeError, match="model must be"):
        explain(3, LINES, 0)
    with pytest.raises(ValueError, match="no line with text"):
        explain(instant, Document("a", "\n"), 0)
    without = replace(instant._predictor, linear=None)
    with pytest.raises(BundleError, match="no linear part"):
        Explainer.of(without, LINES).line(0, "Misc", "linear")
    assert explain_rows(without, Document("a", "x").columns() | {"predicted": ["Misc"]}, [0]) == {}


def test_pages_say_why(instant, tmp_path):
    from commands import skol

    model = instant.save(tmp_path / "model")
    (tmp_path / "a.txt").write_text("\n".join(LINES), encoding="utf-8")
    assert skol("predict", model, tmp_path / "a.txt", "--out", tmp_path / "out", "--html", tmp_path / "html") == 0
    page = (tmp_path / "html" / "a.html").read_text(encoding="utf-8")
    assert page.count('title="for Description: ') == 3
    wrong = toy_table(2, seed=5)
    wrong.loc[2, "label"] = "Misc"
    report = instant.report(instant.predicted(wrong))
    assert report.count('title="for ') == int((instant.predict(wrong)["predicted_label"] != wrong["label"]).sum()) > 0
