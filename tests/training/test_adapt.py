"""A few reviewed lines of a new collection improve a trained model for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy import LABELS, SMALL, as_documents, toy_table

from skol_rnn import DataError, LabelSet, RNNSkolModel, load_model
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.card import adapted_facts, document_facts, split_sentence
from skol_rnn.labels import NO_LABEL
from skol_rnn.training.adapting import adaptation, check_adaptable
from skol_rnn.training.lines import TrainingLines


def other_words(documents=4, seed=9):
    """Make documents of another collection: its names look like the old thanks, and its order says nothing."""
    table, rng = toy_table(documents, 40, seed), np.random.default_rng(seed)
    table.loc[table["label"] == "Nomenclature", "value"] = "the authors thank their friends"
    for rows in table.groupby("doc_id").groups.values():
        table.loc[rows, ["value", "label"]] = table.loc[rng.permutation(rows), ["value", "label"]].to_numpy()
    table["doc_id"] = "new" + table["doc_id"]
    return table


def read_by_a_person(table, lines):
    """Leave only some lines labelled."""
    read = table.copy()
    read["label"] = read["label"].where(np.isin(np.arange(len(table)), lines), None)
    return read


SIZES = ("input_size", "hidden_size", "line_size")  # a tiny network learns too little in so few steps


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a model that has learnt the toy documents, saved and loaded, and these."""
    table, settings = toy_table(), {name: value for name, value in SMALL.items() if name not in SIZES}
    model = RNNSkolModel(epochs=15, random_state=0, **settings | {"validation_fraction": 0}).fit(table)
    return load_model(model.save(tmp_path_factory.mktemp("model") / "model.skol")), table


def reviewed_lines():
    """Return a new document of which the names and ten other lines were read."""
    new = other_words(1)
    names, others = (np.flatnonzero((new["label"] == "Nomenclature") == which) for which in (True, False))
    return read_by_a_person(new, [*names, *others[:10]])


@pytest.fixture(scope="module")
def state_before(trained):
    """Return what adapting must not change."""
    model = trained[0]
    return [w.copy() for w in model.keras_model.get_weights()], model.predict_proba(other_words()), repr(model.card_)


@pytest.fixture(scope="module")
def adapted(trained, state_before):
    """Return the model after the lines of one new document."""
    return trained[0].adapt(reviewed_lines(), training=trained[1])


def recall(model, table, label="Nomenclature"):
    """Return the share of the lines of a label that a model finds."""
    found = np.array(model.predict(table)["predicted_label"])
    return float((found[table["label"] == label] == label).mean())


class TestAdapt:
    def test_finds_the_rare_label_in_other_words(self, trained, adapted):
        model, unread = trained[0], other_words().query("doc_id != 'newdoc0'")
        assert recall(model, unread) < 0.3
        assert recall(adapted, unread) > 0.8
        assert adapted.score(unread) > model.score(unread) + 0.3

    def test_does_not_forget_the_training_documents(self, trained, adapted):
        model, training = trained
        assert model.score(training) > 0.9
        assert adapted.score(training) > model.score(training) - 0.05

    def test_leaves_the_old_model_as_it_was(self, trained, adapted, state_before):
        model, (weights, probabilities, card) = trained[0], state_before
        assert all(map(np.array_equal, weights, model.keras_model.get_weights()))
        assert np.array_equal(probabilities, model.predict_proba(other_words()))
        assert card == repr(model.card_)

    def test_is_saved(self, adapted, tmp_path):
        new, saved = other_words(1), load_model(adapted.save(tmp_path / "adapted.skol"))
        np.testing.assert_allclose(saved.predict_proba(new), adapted.predict_proba(new), atol=1e-5)
        assert saved.card_["adapted"] == adapted.card_["adapted"]

    def test_is_on_the_card_with_the_documents_that_it_has_seen(self, adapted):
        card, known = adapted.card_, reviewed_lines()["label"].notna().sum()
        assert card["adapted"] == [{"lines": known, "documents": 1}]
        assert "newdoc0" in card["documents"]
        assert "newdoc0" in card["split"]["training"]
        assert f"adapted to reviewed lines ({known} lines of 1 document)" in split_sentence(card)


LABEL_SET = LabelSet(tuple(sorted(LABELS)))


class TestDocuments:
    def test_lines_that_nobody_read_have_no_label(self):
        lists, labels = as_documents(reviewed_lines())
        assert any(map(pd.isna, labels[0]))
        by_lists = adaptation((lists, labels), as_documents(toy_table()), LABEL_SET, "Misc")
        by_table = adaptation((reviewed_lines(), None), (toy_table(), None), LABEL_SET, "Misc")
        assert by_lists.lines == by_table.lines == sum(map(pd.notna, labels[0]))
        assert np.array_equal(by_lists.reviewed.true, by_table.reviewed.true)

    def test_reviewed_ones_are_not_replayed(self):
        training = toy_table()
        rows = adaptation((training.query("doc_id == 'doc0'"), None), (training, None), LABEL_SET, None)
        assert rows.shared == ["doc0"]
        assert "doc0" not in set(rows.replayed.table["doc_id"])

    @pytest.mark.parametrize("unlabelled", ["skip", "ignore"])
    def test_training_lines_without_a_label_are_those_of_the_training(self, unlabelled):
        training = toy_table(1)
        training["label"] = training["label"].where(training["label"] != "Misc", None)
        rows = adaptation((reviewed_lines(), None), (training, None), LABEL_SET, "Misc", unlabelled)
        assert (rows.replayed.true != NO_LABEL).sum() == (
            40 if unlabelled == "skip" else training["label"].notna().sum()
        )

    def test_unknown_labels_count_as_other(self):
        new = read_by_a_person(other_words(1).replace({"label": {"Description": "Habitat"}}), range(10))
        rows = adaptation((new, None), (toy_table(), None), LABEL_SET, "Misc")
        assert rows.lines == 10
        assert (rows.reviewed.true[:10] != LABEL_SET.index("Description")).all()

    def test_the_card_lists_one_collection_after_another(self):
        card = document_facts(toy_table(), None, "none")
        once = adapted_facts(card, reviewed_lines(), 15)
        twice = adapted_facts(once, pd.concat([reviewed_lines(), toy_table(1, seed=5)]), 20)
        assert twice["adapted"] == [{"lines": 15, "documents": 1}, {"lines": 20, "documents": 2}]
        assert len(twice["documents"]) == len(set(twice["documents"].values())) == 8
        assert set(twice["split"]["training"]) == set(twice["documents"]) >= set(twice["sketches"])


class TestErrors:
    def test_no_reviewed_line(self, trained):
        model, training = trained
        with pytest.raises(DataError, match="No line of the reviewed documents has a label"):
            model.adapt(read_by_a_person(other_words(1), []), training=training)

    def test_no_training_line(self, trained):
        model, training = trained
        with pytest.raises(DataError, match="No line of the training documents has a label"):
            model.adapt(other_words(1), training=training.drop(columns="label"))

    def test_training_is_required(self, trained):
        with pytest.raises(TypeError, match="training"):
            trained[0].adapt(other_words(1))

    def test_all_training_documents_are_reviewed(self, trained):
        model, training = trained
        with pytest.raises(DataError, match="All training documents are among the reviewed ones"):
            model.adapt(training, training=training)

    def test_unknown_label(self, trained):
        model, training = trained
        new = other_words(1).replace({"label": {"Misc": "Key\x1b[31m"}})
        with pytest.raises(DataError, match=r"Label 'Key\\x1b\[31m' of the reviewed documents is not among"):
            model.adapt(new, training=training)

    @pytest.mark.parametrize(
        ("parameters", "message"), [({"preset": "instant"}, "no network"), ({"unit": "token"}, "model of lines")]
    )
    def test_other_kinds_of_model(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            check_adaptable(parameters)

    def test_an_instant_model_is_refused(self):
        table = toy_table()
        model = RNNSkolModel(preset="instant", verbosity=0).fit(table)
        with pytest.raises(ValueError, match="no network to adapt"):
            model.adapt(table, training=table)

    def test_not_trained(self):
        with pytest.raises(ValueError, match="not trained"):
            RNNSkolModel().adapt(toy_table(), training=toy_table())

    def test_unlabelled_is_checked(self, trained):
        with pytest.raises(ValueError, match="unlabelled must be"):
            trained[0].adapt(other_words(1), training=trained[1], unlabelled="drop")


def test_batches_hold_windows_of_both_kinds():
    from skol_rnn.training.replay import REPLAYED, REVIEWED, ReplayBatches

    def lines(lengths, labels):
        n = sum(lengths)
        features = LineFeatures(np.arange(1, n + 1)[:, None], np.zeros((n, 1), np.float32))
        return TrainingLines(features, np.asarray(labels), lengths)

    labels = np.full(30, NO_LABEL)
    labels[10] = 1
    batches = ReplayBatches(lines([25, 5], labels), lines([100], np.zeros(100, int)), 2, 5, 3, 0, 1, 4.0)
    assert len(batches) == 3
    for (ids, _, _), true, weights in (batches[i] for i in range(3)):
        assert len(ids) == REVIEWED + REPLAYED
        # Each window around the reviewed line holds it once, and learns from nothing else.
        assert (true[:REVIEWED].sum(axis=(1, 2)) == 1).all()
        assert (true[:REVIEWED, :, 1].sum(axis=1) == 1).all()
        assert (weights[:REVIEWED] == 4).all()
        kept = true[REVIEWED:].sum(axis=2) > 0
        assert (weights[REVIEWED:][kept] == 1).all()
    starts = {tuple(row) for row in batches.windows.lines[: batches.n_reviewed].tolist()}
    assert starts == {tuple(range(first, first + 5)) for first in range(6, 11)}
