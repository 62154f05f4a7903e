"""Class weights: strategies against published figures and scikit-learn, every refusal, and the label distribution."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from sklearn.utils.class_weight import compute_class_weight

from skol_rnn.class_weights import (
    STRATEGIES,
    class_weight_strategy,
    describe_weights,
    distribution_table,
    label_counts,
    label_distribution,
    normalise_weights,
    resolve_class_weights,
)
from skol_rnn.labels import LabelSet

FIXTURE = json.loads((Path(__file__).parent / "data" / "label_counts_29.json").read_text(encoding="utf-8"))
LABELS = LabelSet(("Description", "Misc-exposition", "Nomenclature"))
COUNTS = [200, 700, 7]
positive_counts = st.lists(st.integers(1, 10**6), min_size=1, max_size=30)
strategies = st.sampled_from(sorted(STRATEGIES))


@pytest.fixture
def smoothed() -> dict[str, float]:
    counts = FIXTURE["label_counts"]
    weights = class_weight_strategy("smoothed", list(counts.values()), alpha=FIXTURE["alpha"])
    return dict(zip(counts, weights.tolist(), strict=True))


def test_smoothed_gives_the_published_weights(smoothed: dict[str, float]) -> None:
    assert {name: round(weight, 6) for name, weight in smoothed.items()} == FIXTURE["class_weights"]


def test_smoothed_keeps_the_published_order(smoothed: dict[str, float]) -> None:
    assert min(smoothed, key=smoothed.__getitem__) == "O"
    assert max(smoothed, key=smoothed.__getitem__) == "B-Bandwagon,Reductio_ad_hitlerum"
    assert np.mean(list(smoothed.values())) == pytest.approx(1)
    assert max(smoothed.values()) < 3


@settings(deadline=None)
@given(positive_counts)
def test_balanced_is_scikit_learns(counts: list[int]) -> None:
    counts = [1 + count % 50 for count in counts]
    lines = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=lines)
    np.testing.assert_allclose(class_weight_strategy("balanced", counts), expected)


def test_inverse_is_majority_over_count() -> None:
    np.testing.assert_allclose(class_weight_strategy("inverse", [334, 333, 333]), [1, 334 / 333, 334 / 333])


@settings(deadline=None)
@given(strategies, positive_counts)
def test_rarer_labels_never_weigh_less(name: str, counts: list[int]) -> None:
    weights = class_weight_strategy(name, counts)[np.argsort(counts)]
    assert np.all(np.diff(weights) <= 1e-12 * weights[:-1])


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=10).filter(any), st.floats(0, 2), st.none() | st.floats(1, 9)
)
def test_smoothed_has_mean_one_whatever_the_counts(counts: list[int], alpha: float, max_ratio: float | None) -> None:
    assert class_weight_strategy("smoothed", counts, alpha, max_ratio).mean() == pytest.approx(1)


@settings(deadline=None)
@given(strategies, positive_counts, st.floats(1, 100))
def test_max_ratio_caps_largest_over_smallest(name: str, counts: list[int], max_ratio: float) -> None:
    free, capped = class_weight_strategy(name, counts), class_weight_strategy(name, counts, max_ratio=max_ratio)
    assert capped.max() / capped.min() == pytest.approx(min(max_ratio, free.max() / free.min()))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_label_that_does_not_occur_gets_the_largest_weight_and_a_warning(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    weights = class_weight_strategy(name, [90, 0, 10], labels=LABELS)
    assert np.isfinite(weights).all()
    assert weights[1] == weights[2] > weights[0]
    assert "'Misc-exposition'" in caplog.text


def test_labels_that_all_occur_warn_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class_weight_strategy("inverse", COUNTS, labels=LABELS)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("invers", COUNTS), "Unknown class weight strategy 'invers'.*inverse, balanced, smoothed.*mean 'inverse'"),
        (("inverse", [0, 0]), "no label occurs"),
        (("inverse", [1, -1]), "counts .* not -1"),
        (("inverse", [1, float("nan")]), "counts .* not nan"),
        (("inverse", [[1, 2]]), "counts .* shape"),
        (("smoothed", COUNTS, -0.5), "alpha"),
        (("smoothed", COUNTS, float("inf")), "alpha"),
        (("smoothed", COUNTS, 0.5, 0.9), "max_ratio"),
        (("smoothed", COUNTS, 0.5, float("nan")), "max_ratio"),
    ],
)
def test_strategy_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_weight_strategy(*arguments)


def test_no_weights_are_ones() -> None:
    assert resolve_class_weights(None, LABELS, COUNTS).tolist() == [1, 1, 1]


def test_a_name_is_the_strategy() -> None:
    np.testing.assert_array_equal(
        resolve_class_weights("inverse", LABELS, COUNTS), class_weight_strategy("inverse", COUNTS)
    )


def test_a_dict_goes_by_name_and_a_missing_label_is_one_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="skol_rnn"):
        weights = resolve_class_weights({"Nomenclature": 100, "Description": np.float32(10)}, LABELS, COUNTS)
    assert weights.tolist() == [10, 1, 100]
    assert weights.dtype == np.float64
    assert "Misc-exposition: 1.0" in caplog.text


def test_a_tag_without_prefix_stands_for_both_and_the_full_tag_wins_in_either_order() -> None:
    bio = LabelSet(("B-PER", "I-PER", "O"))
    assert resolve_class_weights({"PER": 5}, bio, [1, 1, 1]).tolist() == [5, 5, 1]
    assert resolve_class_weights({"PER": 5, "B-PER": 7}, bio, [1, 1, 1]).tolist() == [7, 5, 1]
    assert resolve_class_weights({"B-PER": 7, "PER": 5}, bio, [1, 1, 1]).tolist() == [7, 5, 1]


@pytest.mark.parametrize("spec", [[1, 2.5, 0], (1, 2.5, 0), np.array([1, 2.5, 0])])
def test_a_sequence_is_taken_in_the_labels_order(spec: object) -> None:
    assert resolve_class_weights(spec, LABELS, COUNTS).tolist() == [1, 2.5, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"Misc": 0.1}, "unknown label 'Misc'; known are Description, Misc-exposition, Nomenclature"),
        ({"misc-exposit": 0.1}, "unknown label 'misc-exposit'.*Did you mean 'Misc-exposition'"),
        ({"Nomenclature": -1.0}, "'Nomenclature' .* not -1.0"),
        ({"Nomenclature": float("nan")}, "'Nomenclature' .* not nan"),
        ({"Nomenclature": float("inf")}, "'Nomenclature' .* not inf"),
        ({"Nomenclature": "10"}, "'Nomenclature' .* not '10'"),
        ({"Nomenclature": None}, "'Nomenclature' .* not None"),
        ({"Nomenclature": 0, "Description": 0, "Misc-exposition": 0}, "All class weights are zero"),
        ([1.0, float("nan"), 1.0], "'Misc-exposition' .* nan"),
        ([1.0, 1.0], "2 weights, but there are 3 labels"),
        ("smooth", "Did you mean 'smoothed'"),
    ],
)
def test_resolve_refuses_and_names_the_culprit(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_class_weights(spec, LABELS, COUNTS)  # type: ignore[arg-type]


def test_resolve_refuses_another_type() -> None:
    with pytest.raises(TypeError, match="not float"):
        resolve_class_weights(3.0, LABELS, COUNTS)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.data(), positive_counts, st.floats(1e-3, 1e3))
def test_normalised_weights_have_mean_one_over_lines_and_ignore_scale(
    data: st.DataObject, counts: list[int], scale: float
) -> None:
    weights = np.array(data.draw(st.lists(st.floats(0.01, 100), min_size=len(counts), max_size=len(counts))))
    normal = normalise_weights(weights, counts)
    assert normal @ counts / sum(counts) == pytest.approx(1)
    np.testing.assert_allclose(normalise_weights(scale * weights, counts), normal)


@pytest.mark.parametrize(
    ("weights", "counts", "message"),
    [([1, 2], [1, 2, 3], "shape"), ([0, 1], [5, 0], "above zero"), ([1, 1], [0, 0], "above zero")],
)
def test_normalise_refuses(weights: list[float], counts: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalise_weights(weights, counts)


def test_description_is_sorted_by_name_in_plain_floats() -> None:
    labels = LabelSet(("Nomenclature", "Description", "Misc"))
    assert describe_weights(np.array([100.0, 10.0, 0.1]), labels) == [
        "[BiLSTM] Using weighted loss with class weights:",
        "  Description: 10.0",
        "  Misc: 0.1",
        "  Nomenclature: 100.0",
    ]


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_counts_skip_lines_without_a_label(missing: object, dtype: str) -> None:
    column = pd.Series(["Description", missing, "Nomenclature", "Description"], index=[7, 7, 1, 0], dtype=dtype)
    assert label_counts(column, LABELS).tolist() == [2, 0, 1]


def test_counts_refuse_an_unknown_label() -> None:
    with pytest.raises(ValueError, match="Unknown label 'Misc'.*Misc-exposition"):
        label_counts(["Misc"], LABELS)


def test_distribution_is_most_frequent_first_with_ties_by_name() -> None:
    frame = label_distribution(["c", "a", "b", "a", None, "b", "a", "a"], ["1", "1", "1", "2", "9", "2", "3", "3"])
    assert frame["label"].tolist() == ["a", "b", "c"]
    assert frame["count"].tolist() == [4, 2, 1]
    assert frame["documents"].tolist() == [3, 2, 1]
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["ratio"].tolist() == [1, 2, 4]
    assert label_distribution(["z", "y"], ["1", "1"])["label"].tolist() == ["y", "z"]


def test_distribution_pairs_by_position_and_refuses_other_lengths() -> None:
    labels, documents = pd.Series(["a", "b"], index=[5, 6]), pd.Series(["1", "2"], index=[6, 5])
    assert label_distribution(labels, documents)["documents"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="2 labels, but 1 document"):
        label_distribution(["a", "b"], ["1"])


def test_distribution_without_labels_is_an_empty_table() -> None:
    frame = label_distribution([None], ["1"])
    assert len(frame) == 0
    assert list(frame.columns) == ["label", "count", "share", "ratio", "documents"]
    assert "Lines" in _rendered(distribution_table(frame))


def test_distribution_table_shows_weights_and_labels_in_brackets() -> None:
    frame = label_distribution(["[red]", "b", "b"], ["1", "1", "2"])
    text = _rendered(distribution_table(frame, {"inverse": {"[red]": 2.0}}, unit="token"))
    assert "Tokens" in text
    assert [line.split() for line in text.splitlines() if "[red]" in line] == [
        ["[red]", "1", "33.33%", "2.0", "1", "2.0000"]
    ]
    assert [line.split()[-1] for line in text.splitlines() if line.split()[:1] == ["b"]] == ["-"]


def _rendered(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(table)
    return out.getvalue()
