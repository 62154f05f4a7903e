"""The same machine with tokens as rows: features, training, decisions, saving."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy import BIO_LABELS, SMALL, as_documents, toy_table, toy_tokens

from skol_rnn.data.inputs import LabelledRows
from skol_rnn.decoding.transitions import legal_steps
from skol_rnn.evaluation.fragments import FragmentScorer
from skol_rnn.features.families import features_from_state, make_features
from skol_rnn.features.tokens.hashed import TokenFeatures
from skol_rnn.features.tokens.layout import TOKEN_LAYOUT_NAMES, token_layout_numbers
from skol_rnn.features.tokens.table import Tokens
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel, load_model
from skol_rnn.training.settings import resolve

TOKENS = {
    **SMALL,
    "unit": "token",
    "window_size": 24,
    "stride": 24,
    "batch_size": 32,
    "learning_rate": 0.02,
    "dropout": 0.1,
    "feature_dropout": 0.2,
}
LABELS = LabelSet(tuple(BIO_LABELS))

LEARNS = {"stride": 12, "batch_size": 8}


def model(**changes):
    return RNNSkolModel(**{**TOKENS, "epochs": 1, **changes})


@pytest.fixture(scope="module")
def table():
    return toy_tokens(12)


@pytest.fixture(scope="module")
def trained(table):
    return model(epochs=20, validation_fraction=0.25, **LEARNS).fit(table)


@pytest.fixture(scope="module")
def unseen():
    return toy_tokens(6, seed=1)


# -- features -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hashed", "ngrams", "characters", "fasttext", "word2vec"])
def test_features_of_a_document_are_the_same_alone_after_saving_and_in_any_order(table, name):
    family = make_features(name, input_size=None, features_col="features", seed=0, unit="token")
    trained_on = family.fit_transform(table)
    fitted = family.transform(table)
    np.testing.assert_array_equal(trained_on.ids, fitted.ids)
    assert trained_on.numbers.shape == fitted.numbers.shape  # the rates in them are those of other documents
    again = features_from_state(family.name, *family.state())
    made = again.transform(table)
    np.testing.assert_array_equal(made.ids, fitted.ids)
    np.testing.assert_array_equal(made.numbers, fitted.numbers)
    for doc_id in ("doc3", "doc11"):
        rows = (table["doc_id"] == doc_id).to_numpy()
        alone = again.transform(table[rows].reset_index(drop=True))
        np.testing.assert_array_equal(alone.ids, fitted.ids[rows])
        np.testing.assert_array_equal(alone.numbers, fitted.numbers[rows])


def test_the_vocabulary_does_not_depend_on_the_order_of_documents(table):
    turned = pd.concat([part for _, part in reversed(list(table.groupby("doc_id")))], ignore_index=True)
    np.testing.assert_array_equal(TokenFeatures().fit(table).buckets_, TokenFeatures().fit(turned).buckets_)


def test_a_word_of_one_document_has_no_id_of_its_own():
    tokens = pd.DataFrame({"doc_id": list("aaab"), "value": ["rare", "rare", "common", "common"]})
    features = TokenFeatures().fit(tokens)
    ids = features.transform(tokens).ids
    assert (ids[2] == ids[3]).all() and (ids[2] > 0).sum() > (ids[0] > 0).sum()


def test_neighbours_are_those_of_the_same_document():
    words = ["red", "fox", "runs"]
    tokens = pd.DataFrame({"doc_id": np.repeat(list("abcd"), 3), "value": words * 4})
    features = TokenFeatures().fit(tokens)
    context = features.transform(tokens).ids[:, -features.context_slots :]
    two_left, left, right, two_right = (context[:, i] for i in (0, 2, 4, 6))
    assert (left[::3] == 0).all() and (right[2::3] == 0).all()
    assert (left[1::3] > 0).all() and (right[1::3] > 0).all() and left[1] != right[1]
    assert (two_left > 0).tolist() == [False, False, True] * 4 == (two_right > 0).tolist()[::-1]
    with_next, with_last = context[:, 8], context[:, 9]
    assert (with_next > 0).tolist() == [True, True, False] * 4 and (with_last > 0).tolist() == [False, True, True] * 4
    assert with_next.max() < features.context_vocabulary_size


def test_layout_of_a_quoted_question():
    words = ["He", "asked", ":", "“", "Why", "?", "”", "Then", "U", "-", "turn"]
    tokens = pd.DataFrame({"doc_id": "a", "value": words, "break_before": [3, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0]})
    numbers = pd.DataFrame(token_layout_numbers(Tokens(tokens)), columns=list(TOKEN_LAYOUT_NAMES))
    assert numbers["in quotation marks"].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert numbers["sentence asks"].tolist() == [1] * 7 + [0] * 4
    assert numbers["first of sentence"].tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert numbers["glued to token before"].tolist() == [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1]
    assert numbers["starts upper"].tolist() == [1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0]


def test_families_of_lines_are_refused_for_tokens(table):
    with pytest.raises(
        ValueError, match=r'one of hashed, ngrams, characters, word2vec, fasttext, vectors with unit="token", but is'
    ):
        model(features="doc2vec").fit(table)


def test_callers_vectors_one_a_token(table, unseen):
    eye = np.eye(len(LABELS))
    given = [part.assign(features=list(eye[LABELS.encode(part["label"])])) for part in (table, unseen)]
    trained = model(features="vectors", input_size=None, epochs=15, validation_fraction=0.25, **LEARNS).fit(given[0])
    assert trained.evaluate(given[1]).fragment_f1 > 0.95


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The model is saved without a graph")  # convolutions are not exported
def test_characters_alone_give_spans_away(tmp_path):
    """Names have "zz" where no affix reaches; no word occurs in two documents."""
    rng = np.random.default_rng(0)
    rows = []
    for d in range(24):
        for i in range(40):
            name = i % 4 == rng.integers(4)
            front, back = ("".join(rng.choice(list("abcdefgh"), 5)) for _ in range(2))
            rows.append((f"d{d}", i, front + ("zz" if name else "yx") + back, "B-NAME" if name else "O"))
    tokens = pd.DataFrame(rows, columns=["doc_id", "line_number", "value", "label"])
    seen, unseen = (tokens[tokens["doc_id"].isin(names)] for names in ([f"d{d}" for d in range(18)], ["d20", "d23"]))
    # The chain does not read characters, and here all that it reads is chance.
    alone = {"linear_share": 0.0, **LEARNS}
    trained = model(features="characters", epochs=12, validation_fraction=0.2, **alone).fit(seen)
    assert trained.evaluate(unseen).fragment_f1 > 0.95
    blind = model(epochs=12, validation_fraction=0.2, **LEARNS).fit(seen)
    assert blind.evaluate(unseen).fragment_f1 < 0.6
    again = load_model(trained.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(unseen), trained.predict_proba(unseen))


# -- the model ------------------------------------------------------------------------------------------


@pytest.mark.backends
def test_spans_of_unseen_words_are_found(trained, unseen):
    scores = trained.evaluate(unseen)
    assert scores.unit == "token"
    assert scores.fragment_f1 > 0.9
    assert scores.to_dict()["fragment_f1"] == scores.fragment_f1
    assert max(trained.history_["val_fragment_f1"]) > 0.9
    assert trained.score(unseen) == scores.important_f1


def test_the_defaults_are_those_of_the_unit(trained, table):
    line, token = (resolve(RNNSkolModel(unit=unit).get_params()) for unit in ("line", "token"))
    names = ("window_size", "stride", "prediction_window_size", "prediction_stride")
    assert [line[name] for name in names] == [15, 15, 128, 122]
    assert [token[name] for name in names] == [128, 128, 128, 64]
    assert line["decision"] == token["decision"] == "auto"

    def windows(**parameters):
        found = resolve(RNNSkolModel(**parameters).get_params())
        return found["prediction_window_size"], found["prediction_stride"]

    assert windows(window_size=1, prediction_stride=1) == (1, 1)
    assert windows(window_size=200) == (200, 194)  # prediction never sees less around a line than training
    assert windows(window_size=15, prediction_stride=5) == (15, 5)  # a stride alone belongs to the window of training
    assert windows(prediction_window_size=6) == (6, 4)
    assert trained.settings_["decision"] == "auto" and trained.decided_by == "tuned"
    assert windows(unit="token", window_size=7, prediction_window_size=7) == (7, 4)
    with pytest.raises(ValueError, match=r"unit must be one of line, token, but is 'tokens'. Did you mean 'token'\?"):
        model(unit="tokens").fit(table)


def test_no_decision_predicts_what_is_illegal(table, unseen):
    start, step = legal_steps(LABELS)
    fitted = model(validation_fraction=0.25).fit(table)  # one epoch: the network knows next to nothing
    for decision in ("argmax", "corrected", "tuned", "viterbi"):
        for _, part in fitted.set_params(decision=decision).predict(unseen).groupby("doc_id"):
            path = part["prediction"].to_numpy()
            assert start[path[0]] and step[path[:-1], path[1:]].all(), decision


@pytest.mark.backends
def test_a_saved_model_predicts_the_same(trained, unseen, tmp_path):
    trained.save(tmp_path / "model.skol")
    again = load_model(tmp_path / "model.skol")
    assert again.get_params() == trained.get_params() and again.settings_ == trained.settings_
    assert again.predict(unseen)["predicted_label"].tolist() == trained.predict(unseen)["predicted_label"].tolist()
    assert again.bundle().state["parameters"]["window_size"] == 24  # never left to the defaults of a later version
    assert again.bundle().to_bytes() == trained.bundle().to_bytes()


def test_a_document_alone_is_labelled_as_among_others(trained, unseen):
    together = trained.predict(unseen)
    for doc_id in ("doc0", "doc5"):
        alone = trained.predict(unseen[unseen["doc_id"] == doc_id])
        among = together[together["doc_id"] == doc_id]
        assert alone["predicted_label"].tolist() == among["predicted_label"].tolist()
        np.testing.assert_allclose(
            np.stack(alone["probabilities"].tolist()), np.stack(among["probabilities"].tolist()), atol=1e-5
        )


def test_a_document_of_9000_tokens_is_labelled_whole(trained):
    one = toy_tokens(1, 1700, seed=3)
    assert len(one) > 9_000
    found = trained.predict(one)
    assert len(found) == len(one) and found["predicted_label"].notna().all()
    last = found.iloc[-300:]
    assert (last["predicted_label"] == last["label"]).mean() > 0.9


def test_weights_by_type_weigh_both_labels(table):
    fitted = model(class_weights={"NAME": 5.0}).fit(table)
    assert fitted.class_weights_.weights == (5.0, 1.0, 5.0, 1.0, 1.0)


def test_without_held_out_documents_one_offset_follows_from_the_counts(table, unseen):
    fitted = model(validation_fraction=0).fit(table)
    assert fitted.decided_by == "auto"
    offsets = fitted.decoder_.offsets
    assert offsets[LABELS.index("O")] == 0 < offsets[LABELS.index("B-NAME")] == offsets[LABELS.index("I-PLACE")]
    assert len(fitted.predict(unseen)) == len(unseen)


def test_tokens_without_spans_are_labelled_too(table):
    tags = table.assign(label=np.where(table["value"].str.isalpha(), "word", "mark"))
    fitted = model(epochs=6, validation_fraction=0.25, **LEARNS).fit(tags)
    scores = fitted.evaluate(tags)
    assert fitted.settings_["monitor"] == "important_f1"
    assert scores.fragment_f1 is None and scores.macro_f1 > 0.95
    with pytest.raises(ValueError, match="monitor must be one of important_f1"):
        model(monitor="fragment_f1").fit(tags)


def test_documents_as_lists_of_tokens(table, unseen):
    documents, labels = as_documents(table)
    fitted = model(epochs=2, validation_fraction=0.25).fit(documents, labels)
    words, truth = as_documents(unseen)
    assert [len(found) for found in fitted.predict(words)] == [len(document) for document in words]
    assert 0 <= fitted.evaluate(words, truth).fragment_f1 <= 1
    assert fitted.predict_proba(words)[0].shape == (len(words[0]), 5)


def test_lines_have_no_fragment_score():
    table = toy_table(3)
    scores = RNNSkolModel(**SMALL, epochs=1).fit(table).evaluate(table)
    assert scores.unit == "line" and scores.fragment_f1 is None


def test_characters_of_tokens_without_offsets_are_counted(unseen):
    bare = unseen.drop(columns=["start", "end"])
    predicted = LABELS.encode(unseen["label"]).copy()
    predicted[predicted == LABELS.index("I-PLACE")] = LABELS.index("O")
    found = [FragmentScorer.of(LabelledRows.of(part, LABELS), LABELS).sums(predicted).f1() for part in (unseen, bare)]
    assert found[0] == pytest.approx(found[1], abs=0.02) and 0 < found[0] < 1
