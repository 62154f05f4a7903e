"""Class weights: strategies against worked figures and scikit-learn, and every refusal."""

from __future__ import annotations

import json
import logging
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import (
    ClassWeights,
    cap_weights,
    check_spec,
    describe_weights,
    is_frozen_file,
    normalise_weights,
    resolve_weights,
)
from skol_rnn.imbalance.strategies import (
    STRATEGIES,
    class_weight_strategy,
    compare_strategies,
    format_strategy,
    parse_strategy,
)
from skol_rnn.labels import LabelSet

FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures" / "label_counts_29.json").read_text(encoding="utf-8"))
LABELS = LabelSet(("Description", "Misc-exposition", "Nomenclature"))
COUNTS = [200, 700, 7]
positive_counts = st.lists(st.integers(1, 10**6), min_size=1, max_size=30)
strategies = st.sampled_from(sorted(STRATEGIES))


def resolved(spec: object, labels: LabelSet = LABELS) -> list[float]:
    return list(resolve_weights(spec, labels, np.ones(len(labels))).weights)  # type: ignore[arg-type]


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


def test_log_is_that_of_enet() -> None:
    # Shares of 0.9 and 0.1: 1 / ln(1.92) and 1 / ln(1.12).
    np.testing.assert_allclose(class_weight_strategy("log", [900, 100]), [1.532978, 8.823891], rtol=1e-6)
    assert class_weight_strategy("log", [10**12, 1])[1] == pytest.approx(1 / np.log(1.02))


def test_aggressive_is_the_square_of_balanced_and_clipped() -> None:
    # N / (K n) is 1000 / (2 * 800) = 0.625 and 1000 / (2 * 200) = 2.5.
    np.testing.assert_allclose(class_weight_strategy("aggressive", [800, 200]), [0.390625, 6.25])
    assert class_weight_strategy("aggressive", [97, 1, 1, 1]).tolist() == [0.1, 100, 100, 100]


def test_aggressive_leaves_near_equal_counts_near_equal_and_never_lowers_a_rare_label() -> None:
    np.testing.assert_allclose(class_weight_strategy("aggressive", [334, 333, 333]), 1, rtol=0.01)
    balanced, aggressive = (class_weight_strategy(name, [200, 700, 7]) for name in ("balanced", "aggressive"))
    assert aggressive[0] > balanced[0] > 1 and aggressive[2] > balanced[2] > 1


@pytest.mark.parametrize(
    ("beta", "counts"), [(0.9, [1, 10, 100]), (0.999, [7, 700, 70_000]), (0.5, [1, 2, 3]), (0.0, [1, 5, 9])]
)
def test_effective_is_the_published_formula_at_mean_one(beta: float, counts: list[int]) -> None:
    # In rational numbers, where no digit is lost.
    exact = [float((1 - Fraction(beta)) / (1 - Fraction(beta) ** n)) for n in counts if n < 1000]
    exact += [1 - beta for n in counts if n >= 1000]
    expected = np.array(exact) / np.mean(exact)
    np.testing.assert_allclose(class_weight_strategy("effective", counts, beta=beta), expected, rtol=1e-12)


def test_effective_near_one_is_inverse_and_at_zero_is_equal() -> None:
    near = class_weight_strategy("effective", [10**8, 10**3, 7], beta=1 - 1e-15)
    inverse = class_weight_strategy("inverse", [10**8, 10**3, 7])
    np.testing.assert_allclose(near, inverse / inverse.mean(), rtol=1e-6)
    assert class_weight_strategy("effective", [10**9, 1], beta=0).tolist() == [1, 1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=10).filter(any), st.floats(0, 1, exclude_max=True))
def test_effective_is_finite_positive_and_of_mean_one(counts: list[int], beta: float) -> None:
    weights = class_weight_strategy("effective", counts, beta=beta)
    assert np.isfinite(weights).all() and weights.min() > 0
    assert weights.mean() == pytest.approx(1)


def test_a_large_alpha_leaves_the_rarest_label_alone() -> None:
    weights = class_weight_strategy("smoothed", [10**8, 10**3, 10], alpha=500, max_ratio=4)
    assert np.isfinite(weights).all() and weights.mean() == pytest.approx(1)
    assert class_weight_strategy("smoothed", [10**8, 10**3, 10], alpha=500).round(6).tolist() == [0, 0, 3]


def test_all_strategies_at_once_are_those_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    options = {"alpha": 0.25, "beta": 0.99, "max_ratio": 7.0}
    found = compare_strategies([200, 700, 0, 7], **options)
    assert caplog.text == ""
    assert list(found) == list(STRATEGIES)
    for name, weights in found.items():
        np.testing.assert_array_equal(weights, class_weight_strategy(name, [200, 700, 0, 7], **options))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_states_its_formula_and_source_and_stands_in_the_documentation(name: str) -> None:
    strategy = STRATEGIES[name]
    assert strategy.option in (None, "alpha", "beta")
    assert re.search(r"\d{4}|balanced", strategy.source)
    assert re.search(rf'^ *"{name}" +{re.escape(strategy.notation)}', class_weight_strategy.__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("option", ["alpha", "beta"])
def test_only_the_option_that_is_declared_changes_the_weights(name: str, option: str) -> None:
    changed = class_weight_strategy(name, COUNTS, **{option: 0.3})
    same = np.array_equal(changed, class_weight_strategy(name, COUNTS))
    assert same == (STRATEGIES[name].option != option)


def test_inverse_is_majority_over_count() -> None:
    np.testing.assert_allclose(class_weight_strategy("inverse", [334, 333, 333]), [1, 334 / 333, 334 / 333])


@settings(deadline=None)
@given(strategies, positive_counts)
def test_rarer_labels_never_weigh_less(name: str, counts: list[int]) -> None:
    weights = class_weight_strategy(name, counts)[np.argsort(counts)]
    assert np.all(np.diff(weights) <= 1e-12 * weights[:-1])


@settings(deadline=None)
@given(
    st.sampled_from(["smoothed", "effective"]),
    st.lists(st.integers(0, 1000), min_size=1, max_size=10).filter(any),
    st.floats(0, 2),
    st.none() | st.floats(1, 9),
)
def test_mean_is_one_whatever_the_counts_and_the_cap(
    name: str, counts: list[int], alpha: float, max_ratio: float | None
) -> None:
    assert class_weight_strategy(name, counts, alpha, max_ratio).mean() == pytest.approx(1)


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
        (("invers", COUNTS), "must be one of inverse, balanced, smoothed.* but is 'invers'.*mean 'inverse'"),
        (("smoothed:alpha=-1", COUNTS), "alpha must be a finite number of at least 0, not -1.0"),
        (("smoothed:beta=0.9", COUNTS), "smoothed has the options alpha, max_ratio, not 'beta'"),
        (("inverse:alpha=0.3", COUNTS), "inverse has the options max_ratio, not 'alpha'"),
        (("effective:beta=x", COUNTS), "beta needs a number, as in effective:beta=0.999"),
        (("inverse:max_ratio=0.5", COUNTS), "max_ratio must be a finite number of at least 1"),
        (("inverse", [0, 0]), "no label occurs"),
        (("inverse", [1, -1]), "counts .* not -1"),
        (("inverse", [1, float("nan")]), "counts .* not nan"),
        (("inverse", [[1, 2]]), "counts .* shape"),
        (("inverse", [1, 2], 0.5, None, LABELS), "2 counts for 3 labels"),
        (("smoothed", COUNTS, -0.5), "alpha"),
        (("smoothed", COUNTS, float("inf")), "alpha"),
        (("smoothed", COUNTS, 0.5, 0.9), "max_ratio"),
        (("smoothed", COUNTS, 0.5, float("nan")), "max_ratio"),
        (("smoothed", COUNTS, None), "alpha must be .* not None"),
        (("effective", COUNTS, 0.5, None, None, 1.0), "beta must be at least 0 and below 1, not 1.0"),
        (("effective:beta=1", COUNTS), "beta must be at least 0 and below 1, not 1.0"),
        (("effective", COUNTS, 0.5, None, None, -0.1), "beta"),
        (("effective", COUNTS, 0.5, None, None, float("nan")), "beta"),
        (("effective", COUNTS, 0.5, None, None, "0.9"), "beta .* not '0.9'"),
        (("inverse", COUNTS, -1), "alpha"),
    ],
)
def test_strategy_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_weight_strategy(*arguments)


def test_options_in_the_name_are_those_of_the_arguments() -> None:
    for text, options in (
        ("smoothed:alpha=0.25,max_ratio=3", {"alpha": 0.25, "max_ratio": 3}),
        ("effective:beta=0.9", {"beta": 0.9}),
        ("inverse: max_ratio = inf", {}),
    ):
        name = text.partition(":")[0]
        expected = class_weight_strategy(name, COUNTS, **options)
        np.testing.assert_array_equal(class_weight_strategy(text, COUNTS), expected)
        np.testing.assert_array_equal(resolve_weights(text, LABELS, np.array(COUNTS)).weights, expected)
    mixed = class_weight_strategy("smoothed:max_ratio=3", COUNTS, alpha=0.25)
    np.testing.assert_array_equal(mixed, class_weight_strategy("smoothed", COUNTS, 0.25, 3))


@settings(deadline=None)
@given(strategies, st.floats(0, 100), st.floats(1, allow_nan=False))
def test_a_strategy_with_its_options_comes_back_from_text(name: str, alpha: float, max_ratio: float) -> None:
    found = parse_strategy(name, alpha=alpha, max_ratio=max_ratio)
    assert parse_strategy(format_strategy(*found)) == found


def test_no_weights_are_ones() -> None:
    assert resolved(None, LABELS) == [1, 1, 1]


def test_a_name_is_the_strategy() -> None:
    found = resolve_weights("inverse", LABELS, np.array(COUNTS))
    np.testing.assert_array_equal(found.weights, class_weight_strategy("inverse", COUNTS))


def test_a_dict_goes_by_name_and_a_missing_label_is_one_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="skol_rnn"):
        weights = resolved({"Nomenclature": 100, "Description": np.float32(10)}, LABELS)
    assert weights == [10, 1, 100]
    assert {type(weight) for weight in weights} == {float}
    assert "Misc-exposition: 1.0" in caplog.text


def test_a_tag_without_prefix_stands_for_both_and_the_full_tag_wins_in_either_order() -> None:
    bio = LabelSet(("B-PER", "I-PER", "O"))
    assert resolved({"PER": 5}, bio) == [5, 5, 1]
    assert resolved({"PER": 5, "B-PER": 7}, bio) == [7, 5, 1]
    assert resolved({"B-PER": 7, "PER": 5}, bio) == [7, 5, 1]


@pytest.mark.parametrize("spec", [[1, 2.5, 0], (1, 2.5, 0), np.array([1, 2.5, 0])])
def test_a_sequence_is_taken_in_the_labels_order(spec: object) -> None:
    assert resolved(spec) == [1, 2.5, 0]  # type: ignore[arg-type]


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
        ({"Nomenclature": True}, "'Nomenclature' .* not True"),
        ({"Nomenclature": 10**400}, "'Nomenclature' .* not 1000"),
        ({"Nomenclature": 0, "Description": 0, "Misc-exposition": 0}, "All class weights are zero"),
        ([1.0, float("nan"), 1.0], "'Misc-exposition' .* nan"),
        ("smooth", "Did you mean 'smoothed'"),
        ([1.0, 1.0], "There are 2 weights for 3 labels"),
    ],
)
def test_resolve_refuses_and_names_the_culprit(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolved(spec)  # type: ignore[arg-type]


def test_resolve_refuses_another_type() -> None:
    with pytest.raises(TypeError, match="not float"):
        resolved(3.0)


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


# -- the cap at the ratio of the counts ----------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1e-3, 1e6), st.integers(0, 10**6)), min_size=1, max_size=6))
def test_capped_weights_are_never_beyond_the_ratio_of_the_counts(labels: list[tuple[float, int]]) -> None:
    weights, counts = (np.array(values) for values in zip(*labels, strict=True))
    capped, changed = cap_weights(weights, counts)
    most = np.argmax(counts)
    limit = weights[most] * max(counts[most], 1) / np.maximum(counts, 1)
    assert (capped <= limit * (1 + 1e-6)).all() and most not in changed
    np.testing.assert_allclose(capped[changed], limit[changed])
    assert (capped[changed] < weights[changed]).all()
    unchanged = np.setdiff1d(np.arange(len(weights)), changed)
    np.testing.assert_array_equal(capped[unchanged], weights[unchanged])


@pytest.mark.parametrize("spec", ["inverse", "balanced", "smoothed", "effective", "log", {"Nomenclature": 5.0}, None])
def test_weights_within_the_ratio_of_the_counts_stay(spec: object) -> None:
    counts = np.array([170, 780, 50])
    found = resolve_weights(spec, LABELS, counts).vector(LABELS)  # type: ignore[arg-type]
    capped, changed = cap_weights(found, counts)
    assert capped.tolist() == found.tolist() and not changed.size


def test_steep_weights_are_capped_and_a_weight_of_zero_stays() -> None:
    capped, changed = cap_weights([100.0, 10.0, 0.1], [50, 170, 780])
    np.testing.assert_allclose(capped, [0.1 * 780 / 50, 0.1 * 780 / 170, 0.1])
    assert changed.tolist() == [0, 1]
    capped, changed = cap_weights([0.0, 1000.0, 1.0], [50, 170, 780])
    np.testing.assert_allclose(capped, [0.0, 780 / 170, 1.0])
    assert changed.tolist() == [1]
    # The most frequent label is not learnt: there is no ratio to keep to.
    assert cap_weights([5.0, 1.0, 0.0], [50, 170, 780])[0].tolist() == [5.0, 1.0, 0.0]


# -- what class_weights may be -------------------------------------------------------------------------


def test_weights_are_frozen_with_their_counts(tmp_path: Path) -> None:
    counts = np.array([170, 780, 50])
    by_name = resolve_weights("inverse", LABELS, counts)
    assert by_name == ClassWeights.from_counts("inverse", LABELS.names, counts)
    assert by_name.counts == (170, 780, 50) and by_name.weights[2] == pytest.approx(15.6)
    assert resolve_weights("smoothed:alpha=1", LABELS, counts).strategy == "smoothed:alpha=1"
    equal, given = (
        resolve_weights(None, LABELS, counts),
        resolve_weights({"Nomenclature": 9}, LABELS, counts),
    )
    assert (equal.weights, equal.strategy) == ((1.0, 1.0, 1.0), "none")
    assert (given.weights, given.strategy) == ((1.0, 1.0, 9.0), "explicit")
    by_name.save(tmp_path / "weights.json")
    assert resolve_weights(str(tmp_path / "weights.json"), LABELS, counts) == by_name
    assert resolve_weights(by_name, LABELS, counts) is by_name
    with pytest.raises(DataError, match="none.json"):
        resolve_weights(str(tmp_path / "none.json"), LABELS, counts)


def test_a_misspelt_strategy_is_refused_without_labels() -> None:
    for spec in (None, "log", "smoothed:alpha=1", "w.json", {"a": 1.0}, ClassWeights(("a",), (1.0,), (1,))):
        check_spec(spec)
    for spec, message in (
        ("smooth", "mean 'smoothed'"),
        ("smoothed:alfa=1", "mean 'alpha'"),
        ("log:max_ratio=0", "at"),
    ):
        with pytest.raises(ValueError, match=message):
            check_spec(spec)


def test_only_a_path_with_its_ending_is_a_frozen_file() -> None:
    assert all(is_frozen_file(name) for name in ("w.json", "a/b.npz", "w.pt"))
    assert not any(is_frozen_file(spec) for spec in ("smoothed", "log:max_ratio=3", None, {"a.json": 1.0}))
