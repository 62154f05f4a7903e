"""Frozen class weights: round trips in every format, every edit by hand caught, labels and counts compared."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import io
import json
import logging
import os
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn import __version__
from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.imbalance.class_weights_file import ENDINGS, check_ending
from skol_rnn.imbalance.strategies import STRATEGIES, class_weight_strategy
from skol_rnn.labels import LabelSet
from skol_rnn.persistence.npz import npz_bytes, read_npz

FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures" / "label_counts_29.json").read_text(encoding="utf-8"))
LABELS = ("Nomenclature", "Description", "Misc")
COUNTS = (7, 200, 700)
try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
HERE = [ending for ending in ENDINGS if torch or ending != ".pt"]
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
    return ClassWeights.from_counts("smoothed", LABELS, COUNTS, alpha=0.25, max_ratio=3)


def test_weights_are_kept_with_all_they_were_made_from(frozen: ClassWeights) -> None:
    assert frozen.labels == LABELS and frozen.counts == COUNTS
    np.testing.assert_array_equal(frozen.weights, class_weight_strategy("smoothed", COUNTS, 0.25, 3))
    assert (frozen.strategy, frozen.alpha, frozen.beta, frozen.max_ratio) == ("smoothed", 0.25, None, 3.0)
    assert frozen.skol_rnn_version == __version__ and frozen.numpy_version == np.__version__


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_options_that_were_used_are_kept(strategy: str) -> None:
    made = ClassWeights.from_counts(strategy, LABELS, np.array(COUNTS), alpha=0.3, beta=0.9)
    assert made.alpha == (0.3 if strategy == "smoothed" else None)
    assert made.beta == (0.9 if strategy == "effective" else None)


def test_a_label_that_does_not_occur_is_said_by_name(caplog: pytest.LogCaptureFixture) -> None:
    made = ClassWeights.from_counts("inverse", LABELS, [0, 10, 90])
    assert made.weights == (9, 9, 1)
    assert "'Nomenclature'" in caplog.text


def test_the_published_weights_are_frozen_to_their_digits(tmp_path: Path) -> None:
    counts = FIXTURE["label_counts"]
    made = ClassWeights.from_counts("smoothed", list(counts), list(counts.values()), alpha=FIXTURE["alpha"])
    read = ClassWeights.load(made.save(tmp_path / "weights.json"))
    assert {n: round(w, 6) for n, w in zip(read.labels, read.weights, strict=True)} == FIXTURE["class_weights"]
    assert read.counts == tuple(counts.values())


def test_equality_and_repr_are_those_of_the_values(frozen: ClassWeights) -> None:
    same = ClassWeights(list(LABELS), list(frozen.weights), np.array(COUNTS), "smoothed", 0.25, None, 3)  # type: ignore[arg-type]
    assert same == frozen and hash(same) == hash(frozen) and repr(same) == repr(frozen)
    assert dataclasses.replace(frozen, skol_rnn_version="0.0.1", source="w.json") == frozen
    assert dataclasses.replace(frozen, alpha=0.5) != frozen
    assert dataclasses.replace(frozen, counts=(8, 200, 700)) != frozen
    assert repr(frozen).startswith("ClassWeights(labels=('Nomenclature', 'Description', 'Misc'), weights=(")
    for again in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert again == frozen
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.weights = (1.0, 1.0, 1.0)  # type: ignore[misc]


def test_the_hash_of_the_counts_is_that_of_their_json(frozen: ClassWeights) -> None:
    text = '{"Nomenclature":7,"Description":200,"Misc":700}'
    assert frozen.counts_hash == hashlib.sha256(text.encode()).hexdigest()
    turned = ClassWeights(LABELS[::-1], frozen.weights[::-1], COUNTS[::-1], "smoothed", 0.25, None, 3)
    assert turned.counts_hash != frozen.counts_hash
    assert dataclasses.replace(frozen, weights=(3, 2, 1)).counts_hash == frozen.counts_hash


def test_the_json_can_be_read_by_people(frozen: ClassWeights, tmp_path: Path) -> None:
    made = ClassWeights(("Überschrift", "Misc"), (5.5, 1), (10, 90))
    text = made.save(tmp_path / "weights.json").read_text(encoding="utf-8")
    assert '"Überschrift": 5.5' in text and '"Überschrift": 10' in text and text.endswith("}\n")
    told = frozen.to_dict()
    assert list(told) == [
        *("format", "format_version", "strategy", "alpha", "beta", "max_ratio", "labels", "weights", "counts"),
        *("counts_sha256", "weights_sha256", "versions"),
    ]
    assert told["format"] == "skol_rnn class weights" and told["format_version"] == 1
    assert told["labels"] == list(LABELS) == list(told["weights"]) == list(told["counts"])
    assert told["versions"] == {"skol_rnn": __version__, "numpy": np.__version__}


@pytest.mark.parametrize("ending", HERE)
def test_every_format_comes_back_exactly(ending: str, frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "new" / f"weights{ending}")
    assert path == tmp_path / "new" / f"weights{ending}"
    read = ClassWeights.load(str(path))
    assert read == frozen and read.source == str(path)
    assert read.skol_rnn_version == __version__
    assert read.save(tmp_path / f"again{ending}").exists()
    if ending != ".pt":
        assert (tmp_path / f"again{ending}").read_bytes() == path.read_bytes()


@settings(deadline=None, max_examples=40)
@given(rows, st.sampled_from([ending for ending in HERE if ending != ".pt"]))
def test_any_weights_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list, ending: str) -> None:
    made = ClassWeights(*zip(*rows, strict=True))
    path = made.save(tmp_path_factory.mktemp("any") / f"w{ending}")
    assert ClassWeights.load(path) == made


def test_the_version_that_made_the_weights_stays_with_them(frozen: ClassWeights) -> None:
    old = dataclasses.replace(frozen, skol_rnn_version="0.0.1", numpy_version="2.0.0")
    again = ClassWeights.from_dict(json.loads(json.dumps(old.to_dict())))
    assert again.to_dict() == old.to_dict()


def test_the_archive_holds_arrays_and_no_pickle(frozen: ClassWeights, tmp_path: Path) -> None:
    with np.load(frozen.save(tmp_path / "w.npz"), allow_pickle=False) as archive:
        assert archive["labels"].tolist() == list(LABELS)
        np.testing.assert_array_equal(archive["weights"], frozen.weights)
        assert archive["counts"].tolist() == list(COUNTS)
        assert json.loads(str(archive["json"])) == frozen.to_dict()


@needs_torch
def test_the_file_for_torch_holds_what_its_users_take(frozen: ClassWeights, tmp_path: Path) -> None:
    content = torch.load(frozen.save(tmp_path / "w.pt"), weights_only=True)
    assert content["class_weights"].dtype == torch.float32
    np.testing.assert_allclose(content["class_weights"].numpy(), frozen.weights, rtol=1e-6)
    assert content["label_counts"] == dict(zip(LABELS, COUNTS, strict=True))
    assert content["alpha"] == 0.25 and json.loads(content["json"]) == frozen.to_dict()


@needs_torch
def test_edits_and_damage_of_the_file_for_torch_are_caught(frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "w.pt")
    content = torch.load(path, weights_only=True)
    torch.save({**content, "class_weights": content["class_weights"] * 2}, path)
    with pytest.raises(DataError, match="w.pt was edited by hand: its weights are not those of its JSON text"):
        ClassWeights.load(path)
    torch.save({**content, "label_counts": {**content["label_counts"], "Misc": 1}}, path)
    with pytest.raises(DataError, match="w.pt was edited by hand: its counts"):
        ClassWeights.load(path)
    for foreign in ({"class_weights": content["class_weights"]}, [1, 2], content["class_weights"]):
        torch.save(foreign, path)
        with pytest.raises(DataError, match="w.pt holds no frozen class weights of skol_rnn"):
            ClassWeights.load(path)
    torch.save({**content, "alpha": Path("code")}, path)
    with pytest.raises(DataError, match="w.pt is damaged, or no file of frozen"):
        ClassWeights.load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="w.pt is damaged, or no file of frozen"):
        ClassWeights.load(path)


def test_without_torch_its_files_say_what_to_install(
    frozen: ClassWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where PyTorch is installed, it is hidden; where it is not, this changes nothing.
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"\.pt file need PyTorch: pip install torch, or keep them as \.json or"):
        frozen.save(tmp_path / "w.pt")
    assert not list(tmp_path.iterdir())
    (tmp_path / "w.pt").write_bytes(b"x")
    with pytest.raises(ImportError, match="pip install torch"):
        ClassWeights.load(tmp_path / "w.pt")


def test_another_ending_is_refused_before_anything_is_written(frozen: ClassWeights, tmp_path: Path) -> None:
    for name in ("w.csv", "w", "w.json.gz"):
        with pytest.raises(ValueError, match=r"end in \.json, \.npz or \.pt, not"):
            frozen.save(tmp_path / name)
        with pytest.raises(ValueError, match=r"end in \.json, \.npz or \.pt, not"):
            ClassWeights.load(tmp_path / name)
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


def edited(frozen: ClassWeights, path: Path, *edits: tuple[str, str]) -> Path:
    text = frozen.save(path).read_text(encoding="utf-8")
    for pattern, new in edits:
        text, n = re.subn(pattern, new, text)
        assert n == 1, pattern
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("pattern", "new", "what"),
    [
        (r'"Misc": 700', '"Misc": 701', "counts"),
        (r'("Misc": 0)\.(\d)', r"\1.9\2", "weights"),
        (r'"Nomenclature": (\d\.)', r'"Nomenclature": 1\1', "weights"),
        (r'"alpha": 0.25', '"alpha": 0.5', "weights"),
        (r'"max_ratio": 3.0', '"max_ratio": null', "weights"),
        (r'"strategy": "smoothed"', '"strategy": "inverse"', "weights"),
        (r'(?s)"Nomenclature",(\s+)"Description"', r'"Description",\1"Nomenclature"', "counts"),
        (r'"counts_sha256": "\w{4}', '"counts_sha256": "0000', "counts"),
        (r'"weights_sha256": "\w{4}', '"weights_sha256": "0000', "weights"),
    ],
)
def test_an_edit_by_hand_is_caught(frozen: ClassWeights, tmp_path: Path, pattern: str, new: str, what: str) -> None:
    path = edited(frozen, tmp_path / "w.json", (pattern, new))
    message = f"w.json was edited by hand: its {what} do not match its checksum; freeze the weights anew"
    with pytest.raises(DataError, match=message):
        ClassWeights.load(path)


def test_a_file_laid_out_anew_is_the_same(frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "w.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text("\ufeff" + json.dumps(dict(sorted(values.items())), sort_keys=True), encoding="utf-8")
    assert ClassWeights.load(path) == frozen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "w.json holds no frozen class weights"),
        ({"format_version": 2}, "w.json has format version 2; this skol_rnn reads up to 1: update it"),
        ({"format_version": "1"}, "'format_version' must be a whole number"),
        ({"format_version": True}, "'format_version' must be a whole number"),
        ({"format_version": 0}, "'format_version' must be a whole number"),
        ({"labels": "abc"}, "w.json: 'labels' must be a list, not 'abc'"),
        ({"labels": ["Nomenclature", "Description", 3]}, "a label must be text, not 3"),
        ({"labels": ["Nomenclature", "Description", "Misc", "Misc"]}, "'Misc' is given twice"),
        ({"labels": ["Nomenclature", "Description", "Misc", "Key"]}, "'weights' lacks the label 'Key'"),
        ({"labels": ["Nomenclature", "Description"]}, "'weights' holds 'Misc', which is not among its labels"),
        ({"labels": [], "weights": {}, "counts": {}}, "There are no labels"),
        ({"weights": [1, 2, 3]}, "'weights' must be an object"),
        ({"weights": {"Nomenclature": -1, "Description": 1, "Misc": 1}}, "w.json: .*'Nomenclature' .* not -1"),
        ({"weights": {"Nomenclature": float("nan"), "Description": 1, "Misc": 1}}, "'Nomenclature' .* not nan"),
        ({"weights": {"Nomenclature": 1, "Description": float("inf"), "Misc": 1}}, "'Description' .* not inf"),
        ({"weights": {"Nomenclature": 1, "Description": "2", "Misc": 1}}, "'Description' .* not '2'"),
        ({"weights": {"Nomenclature": 1, "Description": True, "Misc": 1}}, "'Description' .* not True"),
        ({"weights": {"Nomenclature": 0, "Description": 0, "Misc": 0}}, "All class weights are zero"),
        ({"counts": {"Nomenclature": -1, "Description": 1, "Misc": 1}}, "count of 'Nomenclature' .* not -1"),
        ({"counts": {"Nomenclature": 1.5, "Description": 1, "Misc": 1}}, "count of 'Nomenclature' .* not 1.5"),
        ({"counts": {"Nomenclature": 2**63, "Description": 1, "Misc": 1}}, "count of 'Nomenclature'"),
        ({"counts": {"Nomenclature": 7, "Misc": 1}}, "'counts' lacks the label 'Description'"),
        ({"strategy": "smooth"}, "w.json: Unknown class weight strategy 'smooth'.*Did you mean 'smoothed'"),
        ({"strategy": 3}, "'strategy' must be text"),
        ({"alpha": "0.5"}, "'alpha' must be a number or null, not '0.5'"),
        ({"alpha": True}, "'alpha' must be a number or null"),
        ({"alpha": -1}, "w.json: alpha must be finite"),
        ({"beta": 1}, "w.json: beta must be"),
        ({"max_ratio": float("inf")}, "w.json: max_ratio must be"),
        ({"counts_sha256": None}, "'counts_sha256' must be text"),
        ({"versions": []}, "'versions' must be an object"),
    ],
)
def test_impossible_values_are_refused_by_file_and_name(
    frozen: ClassWeights, tmp_path: Path, change: dict, message: str
) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps({**frozen.to_dict(), **change}), encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        ClassWeights.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("key", ClassWeights.from_counts("inverse", LABELS, COUNTS).to_dict())
def test_every_part_is_needed(frozen: ClassWeights, key: str) -> None:
    values = frozen.to_dict()
    del values[key]
    expected = {"format": "holds no frozen", "format_version": "format_version"}.get(key, f"w.json lacks '{key}'")
    with pytest.raises(DataError, match=expected):
        ClassWeights.from_dict(values, "w.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "w.json is no JSON"),
        (b"\xff\xfe", "w.json is no JSON"),
        (b"[" * 100_000, "w.json is no JSON"),
        (b"[1]", "w.json holds no frozen class weights"),
        (b'{"format": 1, "format": 2}', "w.json is no JSON .*'format' is given twice"),
        (b"", "w.json is no JSON"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        ClassWeights.load(tmp_path / "w.json")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_missing_file_is_said(ending: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"none{ending} cannot be read .*No such file"):
        ClassWeights.load(tmp_path / f"none{ending}")


def test_foreign_and_damaged_archives_are_refused(frozen: ClassWeights, tmp_path: Path) -> None:
    path = frozen.save(tmp_path / "w.npz")
    whole = path.read_bytes()
    arrays = read_npz(path)
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    contents = [b"", b"text", buffer.getvalue(), whole[:-30], npz_bytes({"a": np.arange(3)})]
    contents += [npz_bytes({**arrays, "json": np.arange(3)}), npz_bytes({**arrays, "json": np.array("{")})]
    contents += [npz_bytes({k: v for k, v in arrays.items() if k != "counts"})]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(DataError, match="w.npz"):
            ClassWeights.load(path)
    for name, changed in (("weights", arrays["weights"] * 2), ("counts", arrays["counts"] + 1), ("labels", "x")):
        path.write_bytes(npz_bytes({**arrays, name: changed}))
        with pytest.raises(DataError, match=f"w.npz was edited by hand: its {name} are not those of its JSON"):
            ClassWeights.load(path)


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
        ((LABELS, (1, 1, 1), COUNTS, "smoothed", -1), "alpha"),
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
        ClassWeights.from_counts("effective", LABELS, COUNTS, beta=1.0)


def test_weights_in_another_order_of_labels(frozen: ClassWeights) -> None:
    turned = frozen.vector(LabelSet(LABELS[::-1]))
    np.testing.assert_array_equal(turned, frozen.weights[::-1])
    assert turned.dtype == np.float64


def test_labels_on_one_side_only_are_named(frozen: ClassWeights, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no weight for the label 'Key'; the data have no label 'Misc'. To mend it"):
        frozen.vector(LabelSet(("Nomenclature", "Description", "Key")))
    read = ClassWeights.load(frozen.save(tmp_path / "w.json"))
    with pytest.raises(DataError, match="w.json: .*: the data have no label 'Description', 'Misc'"):
        read.vector(LabelSet(("Nomenclature",)))
    with pytest.raises(DataError, match="w.json: .*: there is no weight for the label 'Key'"):
        read.drift([1, 2, 3, 4], LabelSet((*LABELS, "Key")))


def test_drift_says_each_label_whose_count_changed(frozen: ClassWeights) -> None:
    assert frozen.drift(COUNTS, LabelSet(LABELS)) == []
    assert frozen.drift(np.array(COUNTS[::-1]), LabelSet(LABELS[::-1])) == []
    assert frozen.drift([1400, 7, 150], LabelSet(("Misc", "Nomenclature", "Description"))) == [
        "'Misc' had 700 lines when the weights were frozen and has 1,400 now (+100.0 %)",
        "'Description' had 200 lines when the weights were frozen and has 150 now (-25.0 %)",
    ]
    from_nothing = ClassWeights(("a", "b"), (1, 1), (0, 1)).drift([3, 0], LabelSet(("a", "b")))
    assert from_nothing == [
        "'a' had 0 lines when the weights were frozen and has 3 now (new)",
        "'b' had 1 line when the weights were frozen and has 0 now (-100.0 %)",
    ]
    with pytest.raises(ValueError, match="2 counts for 3 labels"):
        frozen.drift([1, 2], LabelSet(LABELS))


@settings(deadline=None)
@given(st.permutations(range(3)), st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
def test_drift_has_a_sentence_for_each_difference(order: list[int], now: list[int]) -> None:
    made = ClassWeights(LABELS, (1, 2, 3), COUNTS)
    labels = LabelSet(tuple(LABELS[i] for i in order))
    told = made.drift(now, labels)
    expected = [name for name, i, count in zip(labels, order, now, strict=True) if COUNTS[i] != count]
    assert [sentence.split("'")[1] for sentence in told] == expected


def test_nothing_is_logged_when_nothing_is_wrong(frozen: ClassWeights, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ClassWeights.from_dict(frozen.to_dict())
    assert caplog.text == ""
