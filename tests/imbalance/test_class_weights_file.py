"""Frozen class weights: the JSON file, the export for PyTorch, files of earlier versions, and every error."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import ClassWeights, check_ending, count_drift
from skol_rnn.imbalance.strategies import STRATEGIES, class_weight_strategy
from skol_rnn.labels import LabelSet

FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures" / "label_counts_29.json").read_text(encoding="utf-8"))
LABELS = ("Nomenclature", "Description", "Misc")
COUNTS = (7, 200, 700)
OPTIONS = "smoothed:alpha=0.25,max_ratio=3"
VERSION_1 = {
    "format": "skol_rnn class weights",
    "format_version": 1,
    "strategy": "smoothed",
    "alpha": 0.25,
    "beta": None,
    "max_ratio": 3.0,
    "counts_sha256": "as it was",
    "weights_sha256": "as it was",
    "versions": {"skol_rnn": "0.1.0", "numpy": "2.4.6"},
}
try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=10)
rows = st.lists(
    st.tuples(names, st.floats(0, allow_infinity=False, exclude_min=True), st.integers(0, 2**63 - 1)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


@pytest.fixture
def frozen() -> ClassWeights:
    return ClassWeights.from_counts(OPTIONS, LABELS, COUNTS)


def version_1(frozen: ClassWeights) -> dict:
    return {**frozen.to_dict(), **VERSION_1}


def test_weights_are_kept_with_all_they_were_made_from(frozen: ClassWeights) -> None:
    assert frozen.labels == LABELS and frozen.counts == COUNTS
    np.testing.assert_array_equal(frozen.weights, class_weight_strategy("smoothed", COUNTS, 0.25, 3))
    assert frozen.strategy == OPTIONS


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_strategy_is_kept_with_its_options_and_no_others(strategy: str) -> None:
    expected = {"smoothed": "smoothed:alpha=0.5", "effective": "effective:beta=0.999"}.get(strategy, strategy)
    made = ClassWeights.from_counts(strategy, LABELS, np.array(COUNTS))
    assert made.strategy == expected
    assert ClassWeights.from_counts(expected, LABELS, COUNTS) == made
    capped = ClassWeights.from_counts(f"{strategy}:max_ratio=2", LABELS, COUNTS)
    assert capped.strategy.endswith("max_ratio=2") and max(capped.weights) <= 2 * min(capped.weights) * (1 + 1e-12)


def test_the_warning_names_a_label_that_does_not_occur(caplog: pytest.LogCaptureFixture) -> None:
    made = ClassWeights.from_counts("inverse", LABELS, [0, 10, 90])
    assert made.weights == (9, 9, 1)
    assert "'Nomenclature'" in caplog.text


def test_the_published_weights_are_frozen_to_their_digits(tmp_path: Path) -> None:
    counts = FIXTURE["label_counts"]
    made = ClassWeights.from_counts(f"smoothed:alpha={FIXTURE['alpha']}", list(counts), list(counts.values()))
    read = ClassWeights.load(made.save(tmp_path / "weights.json"))
    assert {n: round(w, 6) for n, w in zip(read.labels, read.weights, strict=True)} == FIXTURE["class_weights"]
    assert read.counts == tuple(counts.values())


def test_equality_and_repr_are_those_of_the_values(frozen: ClassWeights) -> None:
    same = ClassWeights(list(LABELS), list(frozen.weights), np.array(COUNTS), "smoothed:max_ratio=3.0,alpha=0.25")  # type: ignore[arg-type]
    assert same == frozen and hash(same) == hash(frozen) and repr(same) == repr(frozen)
    assert dataclasses.replace(frozen, source="w.json") == frozen
    assert dataclasses.replace(frozen, strategy="smoothed") != frozen
    assert dataclasses.replace(frozen, counts=(8, 200, 700)) != frozen
    assert repr(frozen).startswith("ClassWeights(labels=('Nomenclature', 'Description', 'Misc'), weights=(")
    for again in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert again == frozen
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.weights = (1.0, 1.0, 1.0)  # type: ignore[misc]


def test_the_json_can_be_read_by_people(frozen: ClassWeights, tmp_path: Path) -> None:
    made = ClassWeights(("Überschrift", "Misc"), (5.5, 1), (10, 90))
    text = made.save(tmp_path / "weights.json").read_text(encoding="utf-8")
    assert '"Überschrift": 5.5' in text and '"Überschrift": 10' in text and text.endswith("}\n")
    values = frozen.to_dict()
    assert list(values) == ["format", "format_version", "strategy", "labels", "weights", "counts"]
    assert values["format"] == "skol_rnn class weights" and values["format_version"] == 2
    assert values["labels"] == list(LABELS) == list(values["weights"]) == list(values["counts"])


def test_the_file_comes_back_exactly(frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "new" / "weights.json")
    assert path == tmp_path / "new" / "weights.json"
    read = ClassWeights.load(str(path))
    assert read == frozen and read.source == str(path)
    assert read.save(tmp_path / "again.json").read_bytes() == path.read_bytes()


@settings(deadline=None, max_examples=40)
@given(rows)
def test_any_weights_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    made = ClassWeights(*zip(*rows, strict=True))
    assert ClassWeights.load(made.save(tmp_path_factory.mktemp("any") / "w.json")) == made


def test_a_reformatted_file_is_the_same(frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "w.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text("\ufeff" + json.dumps(dict(sorted(values.items())), sort_keys=True), encoding="utf-8")
    assert ClassWeights.load(path) == frozen


# -- earlier versions and PyTorch ----------------------------------------------------------------------


def test_files_of_version_1_are_read(frozen: ClassWeights, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(version_1(frozen)), encoding="utf-8")
    assert ClassWeights.load(tmp_path / "w.json") == frozen
    equal = {**version_1(frozen), "strategy": "none", "alpha": None, "max_ratio": None}
    assert ClassWeights.from_dict(equal).strategy == "none"


@pytest.mark.parametrize("name", ["w.npz", "w.pt", "W.PT"])
def test_archives_of_version_1_and_exports_are_saved_again_as_json(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK")
    message = (
        rf"{name} holds no usable class weights \(weights are read from \.json files only\); save the weights again"
    )
    with pytest.raises(DataError, match=message):
        ClassWeights.load(tmp_path / name)


@needs_torch
def test_the_export_for_torch_holds_a_tensor_and_counts(frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "w.pt")
    content = torch.load(path, weights_only=True)
    assert content["class_weights"].dtype == torch.float32
    np.testing.assert_allclose(content["class_weights"].numpy(), frozen.weights, rtol=1e-6)
    assert content["label_counts"] == dict(zip(LABELS, COUNTS, strict=True))
    assert (content["alpha"], content["max_ratio"]) == (0.25, 3.0)


def test_without_torch_the_error_says_what_to_install(
    frozen: ClassWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hides PyTorch where it is installed.
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"\.pt file need PyTorch: pip install torch, or use \.json"):
        frozen.save(tmp_path / "w.pt")
    assert not list(tmp_path.iterdir())


# -- errors --------------------------------------------------------------------------------------------


def test_another_ending_is_refused_before_anything_is_written(frozen: ClassWeights, tmp_path: Path) -> None:
    for name in ("w.csv", "w", "w.json.gz", "w.npz"):
        with pytest.raises(ValueError, match=r"saved as \.json, or exported for PyTorch as \.pt, not as"):
            frozen.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    check_ending("W.JSON")


def test_a_full_disk_leaves_the_old_file(frozen: ClassWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = frozen.save(tmp_path / "w.json")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        dataclasses.replace(frozen, counts=(1, 2, 3)).save(path)
    monkeypatch.undo()
    assert ClassWeights.load(path) == frozen
    assert [p.name for p in tmp_path.iterdir()] == ["w.json"]


OTHERS = {"Description": 1, "Misc": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "its format is not 'skol_rnn class weights'"),
        ({"format_version": 3}, "its format version 3 is newer than this skol_rnn; update it"),
        ({"format_version": "1"}, "holds no usable"),
        ({"labels": "abc"}, "name different labels"),
        ({"labels": ["Nomenclature", "Description", 3]}, "name different labels"),
        ({"labels": [*LABELS, "Misc"]}, "'Misc' is given twice"),
        ({"labels": [*LABELS, "Key"]}, "name different labels"),
        ({"labels": ["Nomenclature", "Description"]}, "name different labels"),
        ({"labels": [], "weights": {}, "counts": {}}, "There are no labels"),
        ({"labels": 3}, "holds no usable"),
        ({"weights": [1, 2, 3]}, "name different labels"),
        ({"weights": {"Nomenclature": -1, **OTHERS}}, "'Nomenclature' .* not -1"),
        ({"weights": {"Nomenclature": float("nan"), **OTHERS}}, "'Nomenclature' .* not nan"),
        ({"weights": {"Nomenclature": float("inf"), **OTHERS}}, "'Nomenclature' .* not inf"),
        ({"weights": {"Nomenclature": "2", **OTHERS}}, "'Nomenclature' .* not '2'"),
        ({"weights": {"Nomenclature": True, **OTHERS}}, "'Nomenclature' .* not True"),
        ({"weights": dict.fromkeys(LABELS, 0)}, "All class weights are zero"),
        ({"counts": {"Nomenclature": -1, **OTHERS}}, "count of 'Nomenclature' .* not -1"),
        ({"counts": {"Nomenclature": 1.5, **OTHERS}}, "count of 'Nomenclature' .* not 1.5"),
        ({"counts": {"Nomenclature": 2**63, **OTHERS}}, "count of 'Nomenclature'"),
        ({"counts": {"Nomenclature": 7, "Misc": 1}}, "name different labels"),
        ({"strategy": "smooth"}, "class_weights must be one of .* but is 'smooth'.*Did you mean 'smoothed'"),
        ({"strategy": 3}, "holds no usable"),
        ({"strategy": "smoothed:alpha=-1"}, "alpha must be a finite number"),
        ({"strategy": "effective:beta=1"}, "beta must be"),
        ({"strategy": "log:max_ratio=0.5"}, "max_ratio must be"),
        ({**VERSION_1, "alpha": "much"}, "alpha needs a number"),
    ],
)
def test_impossible_values_are_refused_by_file_and_name(
    frozen: ClassWeights, tmp_path: Path, change: dict, message: str
) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps({**frozen.to_dict(), **change}), encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        ClassWeights.load(path)
    assert str(caught.value).startswith(f"{path} holds no usable class weights (")
    assert "; save the weights again" in str(caught.value)


@pytest.mark.parametrize("key", ClassWeights.from_counts("inverse", LABELS, COUNTS).to_dict())
def test_every_part_is_needed(frozen: ClassWeights, key: str) -> None:
    values = frozen.to_dict()
    del values[key]
    with pytest.raises(DataError, match="its format is not" if key == "format" else rf"\(it lacks '{key}'\)"):
        ClassWeights.from_dict(values, "w.json")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"[1]", b""])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_bytes(content)
    with pytest.raises(DataError, match="w.json holds no usable class weights"):
        ClassWeights.load(tmp_path / "w.json")


@pytest.mark.parametrize("ending", [".json", ".csv"])
def test_a_missing_file_is_reported(ending: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"none{ending} does not exist"):
        ClassWeights.load(tmp_path / f"none{ending}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LABELS, (1, 1), COUNTS), "2 weights for 3 labels"),
        ((LABELS, (1, 1, 1), (1, 2)), "2 counts for 3 labels"),
        ((("a", "a"), (1, 1), (1, 2)), "'a' is given twice"),
        (((), (), ()), "no labels"),
        ((LABELS, (1, -1, 1), COUNTS), "'Description' .* not -1"),
        ((LABELS, (0, 0, 0), COUNTS), "All class weights are zero"),
        ((LABELS, (1, 1, 1), (1, 2, 2.5)), "count of 'Misc' .* not 2.5"),
        ((LABELS, (1, 1, 1), COUNTS, "invers"), "Did you mean 'inverse'"),
        ((LABELS, (1, 1, 1), COUNTS, "smoothed:alpha=-1"), "alpha"),
    ],
)
def test_the_constructor_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassWeights(*arguments)


def test_freezing_refuses_what_the_strategy_refuses() -> None:
    with pytest.raises(ValueError, match="2 counts for 3 labels"):
        ClassWeights.from_counts("inverse", LABELS, [1, 2])
    with pytest.raises(ValueError, match="no label occurs"):
        ClassWeights.from_counts("inverse", LABELS, [0, 0, 0])
    with pytest.raises(ValueError, match="beta"):
        ClassWeights.from_counts("effective:beta=1", LABELS, COUNTS)


# -- other labels and counts ---------------------------------------------------------------------------


def test_weights_in_another_order_of_labels(frozen: ClassWeights) -> None:
    turned = frozen.vector(LabelSet(LABELS[::-1]))
    np.testing.assert_array_equal(turned, frozen.weights[::-1])
    assert turned.dtype == np.float64


def test_labels_on_one_side_only_are_named(frozen: ClassWeights, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no weight for 'Key', no 'Misc' in the data\); save the weights again"):
        frozen.vector(LabelSet(("Nomenclature", "Description", "Key")))
    read = ClassWeights.load(frozen.save(tmp_path / "w.json"))
    with pytest.raises(DataError, match=r"w.json: .*\(no 'Description' in the data, no 'Misc' in the data\)"):
        read.vector(LabelSet(("Nomenclature",)))
    with pytest.raises(DataError, match=r"w.json: .*\(no weight for 'Key'\)"):
        count_drift(read, [1, 2, 3, 4], LabelSet((*LABELS, "Key")))


def test_drift_names_each_label_whose_count_changed(frozen: ClassWeights) -> None:
    assert count_drift(frozen, COUNTS, LabelSet(LABELS)) == []
    assert count_drift(frozen, np.array(COUNTS[::-1]), LabelSet(LABELS[::-1])) == []
    assert count_drift(frozen, [1400, 7, 150], LabelSet(("Misc", "Nomenclature", "Description"))) == [
        "'Misc' had 700 lines when the weights were saved and has 1,400 now (+100.0 %)",
        "'Description' had 200 lines when the weights were saved and has 150 now (-25.0 %)",
    ]
    from_nothing = ClassWeights(("a", "b"), (1, 1), (0, 1))
    assert count_drift(from_nothing, [3, 0], LabelSet(("a", "b"))) == [
        "'a' had 0 lines when the weights were saved and has 3 now (new)",
        "'b' had 1 line when the weights were saved and has 0 now (-100.0 %)",
    ]
    with pytest.raises(ValueError, match="2 counts for 3 labels"):
        count_drift(frozen, [1, 2], LabelSet(LABELS))


@settings(deadline=None)
@given(st.permutations(range(3)), st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
def test_drift_has_a_sentence_for_each_difference(order: list[int], now: list[int]) -> None:
    made = ClassWeights(LABELS, (1, 2, 3), COUNTS)
    labels = LabelSet(tuple(LABELS[i] for i in order))
    expected = [name for name, i, count in zip(labels, order, now, strict=True) if COUNTS[i] != count]
    assert [sentence.split("'")[1] for sentence in count_drift(made, now, labels)] == expected


def test_nothing_is_logged_when_nothing_is_wrong(frozen: ClassWeights, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ClassWeights.from_dict(frozen.to_dict())
    assert caplog.text == ""
