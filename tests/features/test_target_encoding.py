"""Target encoding by word and phrase: what is counted, and that no label leaks into its own document."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skol_rnn.features.tokens.hashed import TokenFeatures
from skol_rnn.features.tokens.table import Tokens
from skol_rnn.features.tokens.target_encoding import TargetEncoder

WORDS = ("they", "are", "vile", "liars", "and", "we", "know", "it")


def articles(n, seed=0, labels=True):
    """Articles of random words; in those with an even number "vile liars" is a span wherever it stands."""
    random = np.random.default_rng(seed)
    parts = []
    for i in range(n):
        words = random.choice(WORDS, 40).tolist() + [f"only{i}", "vile", "liars"]
        part = pd.DataFrame({"doc_id": f"article{i}", "value": words, "label": "O"})
        begins = (part["value"] == "vile") & (part["value"].shift(-1) == "liars")
        part.loc[begins, "label"] = "B-Slur"
        part.loc[begins.shift(1, fill_value=False), "label"] = "I-Slur"
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return table if labels else table.drop(columns="label")


def fitted(table):
    return TargetEncoder().fit(Tokens(table), table["label"])


def fit_transformed(table):
    return TargetEncoder().fit_transform(Tokens(table), table["label"])


def with_labels_of_one_turned(table, article):
    turned = table.copy()
    rows = turned["doc_id"] == article
    turned.loc[rows, "label"] = np.where(turned.loc[rows, "label"] == "O", "B-Slur", "O")
    return turned, rows.to_numpy()


def test_the_labels_of_a_training_document_do_not_leak_into_its_encoding():
    table = articles(30)
    turned, rows = with_labels_of_one_turned(table, "article7")
    first, second = fit_transformed(table), fit_transformed(turned)
    # Undo the scaling and the overall rates, which all documents share: order by word must be the same.
    first, second = (each[rows] for each in (first, second))
    for column in range(4):
        _, one = np.unique(np.round(first[:, column], 4), return_inverse=True)
        _, two = np.unique(np.round(second[:, column], 4), return_inverse=True)
        np.testing.assert_array_equal(one, two)
    assert not np.allclose(fitted(table).transform(Tokens(table)), fitted(turned).transform(Tokens(table)))


def test_a_word_of_one_document_is_uninformative_in_training_and_informative_afterwards():
    table = articles(12)
    table.loc[table["value"] == "only3", "label"] = "B-Slur"
    encoder = TargetEncoder()
    training = encoder.fit_transform(Tokens(table), table["label"])
    own = (table["value"] == "only3").to_numpy()
    unknown = (table["value"] == "only4").to_numpy()
    slur = encoder.types.index("Slur")
    assert training[own, slur] == training[unknown, slur]
    unseen = encoder.transform(Tokens(articles(12, labels=False)))
    assert unseen[own, slur] > unseen[unknown, slur]


def test_phrases_are_more_informative_than_their_words():
    encoder = fitted(articles(30))
    table = pd.DataFrame({"doc_id": "new", "value": ["vile", "liars", "and", "vile", "it"]})
    numbers = encoder.transform(Tokens(table))
    phrase = numbers[:, 4 * len(encoder.types) + encoder.types.index("Slur")]
    assert numbers[0, 0] == numbers[3, 0] and phrase[0] > phrase[3]


def test_types_have_no_prefix_and_missing_labels_are_ignored():
    table = articles(6)
    table["label"] = table["label"].astype(object)
    table.loc[0, "label"] = None
    table.loc[1, "label"] = "S-Doubt"
    table.loc[2, "label"] = "E-Slur"
    assert fitted(table).types == ("Doubt", "Slur", "O")


def test_the_encoding_does_not_depend_on_the_order_of_documents():
    table = articles(20)
    turned = pd.concat([part for _, part in reversed(list(table.groupby("doc_id")))], ignore_index=True)
    new = Tokens(articles(3, seed=1, labels=False))
    np.testing.assert_allclose(fitted(table).transform(new), fitted(turned).transform(new), rtol=1e-5, atol=1e-5)


def test_labels_do_not_leak_between_copies_of_a_document():
    table = articles(8)
    copy = table[table["doc_id"] == "article3"].assign(doc_id="copy")
    both = pd.concat([table, copy], ignore_index=True)
    both.loc[both["value"] == "only3", "label"] = "B-Slur"
    training = fit_transformed(both)
    of_copy, other = (both["value"] == "only3").to_numpy(), (both["value"] == "only5").to_numpy()
    np.testing.assert_array_equal(training[of_copy, 0], np.repeat(training[other, 0], 2))


def test_repeated_phrases_are_counted_within_a_document():
    encoder = fitted(articles(10))
    table = pd.DataFrame({"doc_id": ["a"] * 6 + ["b"] * 3, "value": "no more war no more war no more war".split()})
    often = encoder.transform(Tokens(table))[:, -1]
    assert often[0] == often[5] > often[6]


@pytest.mark.parametrize("table", [articles(4)[:0], articles(1), articles(1)[:1]], ids=["empty", "one", "one token"])
def test_small_tables(table):
    assert fitted(articles(4)).transform(Tokens(table)).shape == (len(table), 9 * 2 + 2)
    if len(table):
        assert np.isfinite(fit_transformed(table)).all()


def test_without_labels_there_is_no_target_encoding():
    labelled, without = TokenFeatures().fit(articles(4)), TokenFeatures().fit(articles(4, labels=False))
    new = articles(2, seed=1)
    assert labelled.transform(new).numbers.shape[1] - without.transform(new).numbers.shape[1] == 20
