"""Whole documents, by label name, nothing lost; windows drawn more often without raising their probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import as_documents, toy_table

from skol_rnn.imbalance.sampling import (
    SCHEMES,
    Sampling,
    oversample_documents_with_rare_labels,
    sampling_shift,
    stratified_document_sample,
)
from skol_rnn.training.window_sampling import draw_windows, window_draw_rates
from skol_rnn.windows import cut_windows

IDS = st.sampled_from(["a", "b", "a#copy2", "a#copy3", "a#copy2#copy2", "b#copy4"])


def draw_oversampled(ids, labels, rare_label, min_count=1, replication_factor=5):
    return Sampling("oversample", rare_label, min_count, replication_factor).draw(ids, labels)


def draw_stratified(ids, labels, rare_label, min_count=1, fraction=0.5, seed=0):
    return Sampling("stratify", rare_label, min_count, fraction=fraction, seed=seed).draw(ids, labels)


@st.composite
def corpora(draw):
    """Documents as (ids, labels), with at least one rare line."""
    documents = draw(st.dictionaries(IDS, st.lists(st.sampled_from(["rare", "common", None]), min_size=1, max_size=6)))
    documents["holder"] = ["rare", "common"]
    ids = [name for name, lines in documents.items() for _ in lines]
    return documents, ids, [label for lines in documents.values() for label in lines]


def treatments(n_with, n_without, lines=4):
    """Documents of which some open with a name."""
    rows = []
    for number in range(n_with + n_without):
        for line in range(lines):
            label = "Nomenclature" if number < n_with and line == 0 else "Misc"
            rows.append((f"doc{number}", line, f"text {number}.{line}", label, f"volume{number % 2}"))
    return pd.DataFrame(rows, columns=["doc_id", "line_number", "value", "label", "volume"])


# -- documents ------------------------------------------------------------------------------------


@given(corpora(), st.integers(1, 6), st.integers(1, 2))
def test_oversampling_loses_nothing_and_no_names_collide(corpus, factor, min_count):
    documents, ids, labels = corpus
    documents = dict(documents)
    if max(sum(label == "rare" for label in lines) for lines in documents.values()) < min_count:
        return
    drawn = draw_oversampled(ids, labels, "rare", min_count, factor)
    names = [name for name, _ in drawn]
    assert len(set(names)) == len(names)
    assert list(dict.fromkeys(source for _, source in drawn)) == list(documents)
    for doc_id, lines in documents.items():
        sources = [name for name, source in drawn if source == doc_id]
        is_rare = sum(label == "rare" for label in lines) >= min_count
        assert sources[0] == doc_id and len(sources) == (factor if is_rare else 1)
        assert all(name.startswith(f"{doc_id}#copy") for name in sources[1:])


def test_copies_stand_after_their_original_under_free_names():
    ids = ["a", "a#copy2", "b"]
    assert draw_oversampled(ids, ["rare", "x", "x"], "rare", replication_factor=3) == [
        ("a", "a"),
        ("a#copy3", "a"),
        ("a#copy4", "a"),
        ("a#copy2", "a#copy2"),
        ("b", "b"),
    ]


def test_five_times_the_documents_with_the_same_lines_in_order():
    table = treatments(2, 3)
    sampled = oversample_documents_with_rare_labels(table, rare_label="Nomenclature", min_count=1, replication_factor=5)
    assert sampled["doc_id"].nunique() == 2 * 5 + 3
    for _, part in sampled.groupby("doc_id", sort=False):
        original = table[table["doc_id"] == part["source_doc_id"].iloc[0]]
        for column in ("line_number", "value", "label", "volume"):
            assert part[column].tolist() == original[column].tolist()
    counts = sampled.groupby("source_doc_id")["doc_id"].nunique()
    assert counts.to_dict() == {"doc0": 5, "doc1": 5, "doc2": 1, "doc3": 1, "doc4": 1}
    assert not sampled.index.has_duplicates and "order" not in sampled


def test_rows_in_any_order_and_columns_of_vectors():
    table = treatments(1, 1).assign(features=lambda t: [np.full(2, i) for i in range(len(t))])
    mixed = oversample_documents_with_rare_labels(table.sample(frac=1, random_state=3), "Nomenclature")
    for _, part in mixed.groupby("doc_id"):
        assert part["line_number"].tolist() == [0, 1, 2, 3]
    assert mixed.loc[mixed["doc_id"] == "doc0#copy5", "features"].map(lambda v: int(v[0])).tolist() == [0, 1, 2, 3]


def test_documents_as_lists_and_labels_in_another_column():
    documents, y = as_documents(toy_table(2, 10))
    from_lists = oversample_documents_with_rare_labels(documents, "Nomenclature", replication_factor=2, y=y)
    renamed = toy_table(2, 10).rename(columns={"label": "tag"})
    from_table = oversample_documents_with_rare_labels(renamed, "Nomenclature", replication_factor=2, label_col="tag")
    assert from_lists["label"].tolist() == from_table["tag"].tolist() == from_table["label"].tolist()


def test_a_sample_of_a_sample_remembers_the_first_source():
    once = oversample_documents_with_rare_labels(treatments(1, 1), "Nomenclature", replication_factor=2)
    twice = oversample_documents_with_rare_labels(once, "Nomenclature", replication_factor=2)
    assert twice["doc_id"].nunique() == 5
    assert set(twice["source_doc_id"]) == {"doc0", "doc1"}


def test_documents_without_labels_are_left_alone():
    table = treatments(1, 2)
    table.loc[table["doc_id"] == "doc2", "label"] = None
    sampled = oversample_documents_with_rare_labels(table, "Nomenclature")
    unlabelled = sampled[sampled["doc_id"] == "doc2"]
    assert len(unlabelled) == 4 and unlabelled["label"].isna().all()


def test_several_labels_count_together():
    ids, labels = ["a", "a", "b", "b"], ["B-PER", "I-PER", "B-PER", "O"]
    drawn = draw_oversampled(ids, labels, ["B-PER", "I-PER"], min_count=2, replication_factor=2)
    assert [name for name, _ in drawn] == ["a", "a#copy2", "b"]


@settings(max_examples=60)
@given(corpora(), st.floats(0, 1), st.integers(0, 3), st.randoms())
def test_a_stratified_sample_keeps_the_rare_and_comes_near_the_fraction(corpus, fraction, seed, random):
    documents, ids, labels = corpus
    drawn = draw_stratified(ids, labels, "rare", 1, fraction, seed)
    kept = [name for name, _ in drawn]
    assert all(name == source for name, source in drawn) and len(set(kept)) == len(kept)
    assert kept == [name for name in documents if name in set(kept)]
    others = {name: len(lines) for name, lines in documents.items() if "rare" not in lines}
    assert set(documents) - set(others) <= set(kept)
    missing = fraction * sum(others.values()) - sum(others[name] for name in kept if name in others)
    for name in set(others) - set(kept):
        assert abs(missing - others[name]) >= abs(missing) - 1e-9

    pairs = list(documents.items())
    random.shuffle(pairs)
    again = draw_stratified(
        [name for name, lines in pairs for _ in lines],
        [x for _, lines in pairs for x in lines],
        "rare",
        1,
        fraction,
        seed,
    )
    assert {name for name, _ in again} == set(kept)


def test_a_stratified_sample_of_equal_documents_has_the_fraction_and_depends_on_the_seed():
    table = treatments(2, 40)
    kept = [
        frozenset(stratified_document_sample(table, "Nomenclature", fraction=0.25, seed=seed)["doc_id"])
        for seed in (0, 0, 1)
    ]
    assert [len(ids) for ids in kept] == [12, 12, 12] and kept[0] == kept[1] != kept[2]
    assert {"doc0", "doc1"} <= kept[0]


def test_the_rarest_label_is_the_default_and_ties_go_by_name():
    assert Sampling("oversample").labels_among(["b", "c", "a", "b", "c", "c", None, float("nan")]) == ["a"]
    assert Sampling("oversample").labels_among(["b", "a"]) == ["a"]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [draw_oversampled, draw_stratified])
def test_labels_go_by_name(draw):
    with pytest.raises(ValueError, match=r"rare_label must be the name of a label or a list of names, not 0"):
        draw(["a", "b"], ["Misc", "Nomenclature"], 0)
    with pytest.raises(ValueError, match=r"names, not \['Misc', 1\]"):
        draw(["a", "b"], ["Misc", "Nomenclature"], ["Misc", 1])
    with pytest.raises(ValueError, match=r"names, not \[\]"):
        draw(["a"], ["Misc"], [])
    with pytest.raises(ValueError, match="Did you mean 'Nomenclature'"):
        draw(["a", "b"], ["Misc", "Nomenclature"], "Nomenclatur")
    with pytest.raises(ValueError, match="No line has a label"):
        draw(["a", "b"], [None, None], "Misc")
    with pytest.raises(ValueError, match="1 label, but 2 document ids"):
        draw(["a", "b"], ["Misc"], "Misc")


@pytest.mark.parametrize("draw", [draw_oversampled, draw_stratified])
def test_a_min_count_out_of_reach_names_the_largest_count(draw):
    with pytest.raises(ValueError, match=r"No document has 3 lines of x: the most is 2"):
        draw(["a", "a", "b"], ["x", "x", "x"], "x", min_count=3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("oversampled", "Did you mean 'oversample'"),
        ("oversample:fraction=0.5", "oversample has the options min_count, replication_factor, not 'fraction'"),
        ("oversample:replication_factor=2.5", "replication_factor must be a whole number of at least 1, not 2.5"),
        ("rare_windows:boost", "boost needs a number, as in rare_windows:boost=4"),
        (3, "must be oversample, stratify, rare_windows"),
        ({"rare_label": "x"}, "such a 'name'"),
        ({"name": ["oversample"]}, "must be one of"),
        (
            {"name": "oversample", "replication": 2},
            "has the options rare_label, min_count, .*not 'replication'.*'replication_factor'",
        ),
        ({"name": "oversample", "fraction": 0.5}, "sampling='oversample' has the options .*, not 'fraction'"),
        ({"name": "rare_windows", "min_count": 1}, "sampling='rare_windows' has the options .*, not 'min_count'"),
        ({"name": "oversample", "replication_factor": 0}, "replication_factor must be a whole number of at least 1"),
        ({"name": "oversample", "replication_factor": 2.5}, "not 2.5"),
        ({"name": "oversample", "replication_factor": True}, "not True"),
        ({"name": "stratify", "fraction": 1.5}, "fraction must be a number from 0 to 1"),
        ({"name": "stratify", "fraction": float("nan")}, "not nan"),
        ({"name": "stratify", "seed": -1}, "seed must be"),
        ({"name": "rare_windows", "boost": 0.5}, "boost must be a number from 1"),
        ({"name": "rare_windows", "boost": "4"}, "not '4'"),
        ({"name": "oversample", "rare_label": 0}, "name of a label"),
        ({"name": "oversample", "min_count": 0}, "min_count"),
    ],
)
def test_a_scheme_that_makes_no_sense_is_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        Sampling.parse(spec)


# -- the scheme -----------------------------------------------------------------------------------


def test_every_scheme_takes_all_of_its_options():
    values = {"rare_label": ["a", "b"], "min_count": 2, "replication_factor": 3, "fraction": 0.1, "seed": 4, "boost": 2}
    for name, options in SCHEMES.items():
        options = ["rare_label", *options]
        parsed = Sampling.parse({"name": name, **{key: values[key] for key in options}})
        for key in options:
            assert getattr(parsed, key) == (("a", "b") if key == "rare_label" else values[key])
        assert Sampling.parse(name) == Sampling(name)
        text = f"{name}:" + ",".join(f"{key}={values[key]}" for key in options[1:])
        assert Sampling.parse(text) == Sampling.parse({"name": name, **{key: values[key] for key in options[1:]}})
        assert Sampling.parse(name) == Sampling.parse({"name": name, **SCHEMES[name]})
    assert Sampling.parse(None) is None


def test_rare_windows_draw_each_document_once_and_name_their_labels():
    ids, labels = ["a", "b", "c", "c"], ["x", "rare", "x", "x"]
    assert Sampling("rare_windows").draw(ids, labels) == [("a", "a"), ("b", "b"), ("c", "c")]
    assert Sampling("rare_windows").labels_among(labels) == ["rare"]
    assert Sampling("rare_windows", "x").labels_among(labels) == ["x"]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5))
def test_the_shift_takes_the_shares_of_the_sample_back_to_those_of_the_data(counts):
    before, after = np.array(counts).T
    shift = sampling_shift(before, after)
    there = (before > 0) & (after > 0)
    assert (shift[~there] == 1).all()
    if there.any():
        back = (after / after.sum())[there] / shift[there]
        np.testing.assert_allclose(back, (before / before.sum())[there])


def test_shifts_of_different_label_sets_are_refused():
    with pytest.raises(ValueError, match="2 labels before sampling and of 3 after"):
        sampling_shift(np.ones(2), np.ones(3))


# -- windows --------------------------------------------------------------------------------------

LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=6)


@given(LENGTHS, st.floats(1, 20), st.integers(0, 99))
def test_the_corrected_loss_has_the_expectation_of_the_plain_one(lengths, boost, seed):
    windows = cut_windows(lengths, 4, 2)
    rng = np.random.default_rng(seed)
    is_rare = rng.random(windows.n_lines) < 0.1
    rates, corrections = window_draw_rates(windows, is_rare, boost)
    n, loss = len(windows), rng.random(len(windows))
    assert rates.shape == corrections.shape == (n,)
    if n:
        chance = rates / rates.sum()
        assert n * (chance * corrections).sum() == pytest.approx(n)
        assert (chance * corrections * loss).sum() == pytest.approx(loss.mean())
    for i, line in enumerate(windows.lines):
        assert rates[i] == (boost if is_rare[line[line >= 0]].any() else 1.0)


def test_padding_is_never_rare():
    windows = cut_windows([1, 3], 3, 3)
    rates, _ = window_draw_rates(windows, np.array([False, False, False, True]), 4.0)
    assert rates.tolist() == [1.0, 4.0]


@given(st.lists(st.floats(0.01, 50), max_size=40), st.integers(0, 99))
def test_each_window_is_drawn_as_often_as_expected_to_less_than_one(rates, seed):
    drawn = draw_windows(np.array(rates), np.random.default_rng(seed))
    assert len(drawn) == len(rates)
    times = np.bincount(drawn, minlength=len(rates))
    expected = len(rates) * np.array(rates) / max(sum(rates), 1e-9)
    assert (np.abs(times - expected) < 1 + 1e-6).all()


def test_draws_have_the_expected_frequencies_and_the_corrected_mean_is_the_plain_one():
    windows = cut_windows([60], 3, 3)
    is_rare = np.arange(60) % 20 == 0
    rates, corrections = window_draw_rates(windows, is_rare, 4.0)
    loss = np.where(rates > 1, 5.0, 1.0) + np.arange(20) / 10
    rng = np.random.default_rng(0)
    draws = [draw_windows(rates, rng) for _ in range(4000)]
    times = np.mean([np.bincount(drawn, minlength=20) for drawn in draws], axis=0)
    np.testing.assert_allclose(times, 20 * rates / rates.sum(), atol=0.04)
    means = [(corrections[drawn] * loss[drawn]).mean() for drawn in draws]
    assert np.mean(means) == pytest.approx(loss.mean(), rel=0.01)


def test_rare_labels_are_in_more_batches():
    windows = cut_windows([3000], 3, 3)
    rates, _ = window_draw_rates(windows, np.arange(3000) % 300 == 0, 10.0)
    rng = np.random.default_rng(1)

    def share_of_batches(order):
        return np.mean([(rates[batch] > 1).any() for batch in order.reshape(-1, 50)])

    plain = np.mean([share_of_batches(rng.permutation(1000)) for _ in range(20)])
    boosted = np.mean([share_of_batches(draw_windows(rates, rng)) for _ in range(20)])
    assert plain < 0.6 and boosted > 0.9


def test_equal_rates_draw_each_window_once_in_an_order_of_the_generator():
    first, second = (draw_windows(np.ones(50), np.random.default_rng(seed)) for seed in (0, 1))
    assert sorted(first) == sorted(second) == list(range(50)) and first.tolist() != second.tolist()
    assert draw_windows(np.ones(50), np.random.default_rng(0)).tolist() == first.tolist()


def test_wrong_rates_and_flags_are_refused():
    windows = cut_windows([6], 3, 3)
    with pytest.raises(ValueError, match=r"shape \(5,\), but the windows are over 6"):
        window_draw_rates(windows, np.zeros(5, bool))
    with pytest.raises(ValueError, match="boost"):
        window_draw_rates(windows, np.zeros(6, bool), 0.0)
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="positive and finite"):
            draw_windows(np.array([1.0, wrong]), np.random.default_rng(0))
