"""A bundle has one set of bytes, is written whole or not at all, and is refused when anything is wrong with it."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skol_rnn.errors import BundleError, DataError
from skol_rnn.persistence import archive as archive_module
from skol_rnn.persistence.bundle import Bundle, load_bundle, save_bundle

STATE = {"labels": ["a", "b"], "name": "é", "nothing": None, "number": 0.1}


@pytest.fixture
def bundle():
    rng = np.random.default_rng(0)
    return Bundle(STATE, {"w": rng.random((3, 4), "float32")}, {"ids": np.arange(5)}, {"weights": np.ones(2)})


def equal(first, second):
    assert first.state == second.state
    for part in ("network", "features", "decision"):
        one, two = getattr(first, part), getattr(second, part)
        assert one.keys() == two.keys()
        for name in one:
            assert one[name].dtype == two[name].dtype
            np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize("name", ["model", "model.v2", "model.skol", "model.zip", "deep/er/model"])
def test_what_is_saved_is_loaded(bundle, tmp_path, name):
    path = save_bundle(bundle, tmp_path / name)
    assert path.is_file() == name.endswith((".skol", ".zip"))
    equal(load_bundle(path), bundle)


def test_folder_and_file_hold_the_same_bytes(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "folder")
    save_bundle(bundle, tmp_path / "file.skol")
    with zipfile.ZipFile(tmp_path / "file.skol") as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {file.name: file.read_bytes() for file in (tmp_path / "folder").iterdir()}
    assert bundle.to_bytes() == bundle.to_bytes() == (tmp_path / "file.skol").read_bytes()


def test_versions_of_a_name_are_kept_apart(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "rnn.v1")
    save_bundle(Bundle({"other": 1}), tmp_path / "rnn.v2")
    equal(load_bundle(tmp_path / "rnn.v1"), bundle)


@pytest.mark.parametrize("name", ["model", "model.skol"])
def test_saving_twice_replaces_and_leaves_nothing_behind(bundle, tmp_path, name):
    save_bundle(Bundle({"older": 1}), tmp_path / name)
    save_bundle(bundle, tmp_path / name)
    equal(load_bundle(tmp_path / name), bundle)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["model", "model.skol"])
def test_a_full_disk_leaves_the_older_model_and_no_half_written_one(bundle, tmp_path, name, monkeypatch):
    save_bundle(bundle, tmp_path / name)
    real = os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) >= (3 if name == "model" else 1):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device.*was not saved"):
        save_bundle(Bundle({"newer": 1}), tmp_path / name)
    monkeypatch.undo()
    assert calls
    equal(load_bundle(tmp_path / name), bundle)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_folder_of_something_else_is_not_replaced(bundle, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "notes").write_text("more work")
    (tmp_path / "folder.skol").mkdir()
    for name in ("thesis", "notes", "folder.skol", "notes/model"):
        with pytest.raises(DataError, match="not a saved model: choose another|cannot be written"):
            save_bundle(bundle, tmp_path / name)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    assert (tmp_path / "notes").read_text() == "more work"


@pytest.mark.parametrize("cut", [0, 1, 10, 200, -1])
def test_a_truncated_file_is_refused(bundle, tmp_path, cut):
    blob = bundle.to_bytes()
    (tmp_path / "m.skol").write_bytes(blob[:cut])
    with pytest.raises(BundleError, match=r"m\.skol"):
        load_bundle(tmp_path / "m.skol")


@pytest.mark.parametrize("name", ["model.json", "network.npz", "features.npz", "decision.npz", "manifest.json"])
def test_a_changed_byte_or_a_missing_part_is_refused(bundle, tmp_path, name):
    path = save_bundle(bundle, tmp_path / "model")
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(BundleError):
        load_bundle(path)
    (path / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(path)


def test_a_foreign_zip_and_a_newer_format_are_refused(bundle):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(BundleError, match="no manifest.json"):
        Bundle.from_bytes(buffer.getvalue())
    with pytest.raises(BundleError, match="is not a saved model"):
        Bundle.from_bytes(b"not a zip at all")
    for change, message in (({"format": "other"}, "not a model of skol_rnn"), ({"format_version": 99}, "newer than 1")):
        with pytest.raises(BundleError, match=message):
            Bundle.from_bytes(with_manifest(bundle, change))


def with_manifest(bundle, change):
    files = bundle.files()
    files["manifest.json"] = json.dumps({**json.loads(files["manifest.json"]), **change}).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_pickled_arrays_are_refused_even_with_a_right_checksum(bundle):
    class Evil:
        def __reduce__(self):
            return (os.system, ("echo evil",))

    buffer = io.BytesIO()
    np.savez(buffer, w=np.array([Evil()], dtype=object))
    poisoned = Bundle(STATE)
    files = poisoned.files()
    files["network.npz"] = buffer.getvalue()
    manifest = json.loads(files["manifest.json"])
    import hashlib

    manifest["files"]["network.npz"]["sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with pytest.raises(BundleError, match="damaged or not an .npz file"):
        Bundle.from_bytes(blob.getvalue())


def test_what_is_not_there_or_too_large_is_refused(bundle, tmp_path, monkeypatch):
    with pytest.raises(BundleError, match="There is no model at"):
        load_bundle(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="no manifest.json"):
        load_bundle(tmp_path / "empty")
    path = save_bundle(bundle, tmp_path / "m.skol")
    monkeypatch.setattr(archive_module, "SIZE_LIMIT", 100)
    with pytest.raises(BundleError, match="more than the limit of 100"):
        load_bundle(path)


def test_names_in_an_archive_cannot_write_elsewhere(bundle, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../outside", "x")
        for name, data in bundle.files().items():
            archive.writestr(name, data)
    equal(Bundle.from_bytes(buffer.getvalue()), bundle)
    assert not (tmp_path.parent / "outside").exists()


def test_the_older_folder_is_restored_if_the_new_one_cannot_take_its_place(bundle, tmp_path, monkeypatch):
    path = save_bundle(bundle, tmp_path / "model")
    real = os.replace

    def refuse_new(source, target):
        if os.path.basename(source) == "new":
            raise OSError(errno.EACCES, "Permission denied")
        real(source, target)

    monkeypatch.setattr("skol_rnn.persistence.bundle.exchanged", lambda *_: False)  # as on other systems than Linux
    monkeypatch.setattr(os, "replace", refuse_new)
    with pytest.raises(DataError, match="Permission denied"):
        save_bundle(Bundle({"newer": 1}), path)
    monkeypatch.undo()
    equal(load_bundle(path), bundle)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


WRITER = """
import sys
import numpy as np
from skol_rnn.persistence import bundle
if sys.argv[2] == "two steps":
    bundle.exchanged = lambda *_: False
for number in range(10**9):
    arrays = {"a": np.full(2_000, number)}
    bundle.save_bundle(bundle.Bundle({"number": number}, arrays, arrays, arrays), sys.argv[1])
"""


@pytest.mark.parametrize("name", ["model", "model.skol"])
@pytest.mark.parametrize("steps", ["one step", "two steps"])
def test_readers_find_a_whole_model_while_it_is_saved_again_and_again(tmp_path, name, steps):
    path = save_bundle(Bundle({"number": -1}), tmp_path / name)
    root = Path(__file__).resolve().parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), steps], env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        found, end = [], time.monotonic() + 60
        while (len(found) < 100 or len(set(found)) < 20) and time.monotonic() < end:
            loaded = load_bundle(path)
            number = loaded.state["number"]
            found.append(number)
            for arrays in (loaded.network, loaded.features, loaded.decision):
                assert number == -1 or (arrays["a"] == number).all()
            assert writer.poll() is None
    finally:
        writer.kill()  # at any moment of a save
        writer.wait()
    assert found == sorted(found) and len(set(found)) >= 20
    if steps == "one step":
        assert load_bundle(path).state["number"] >= found[-1]


def test_a_missing_or_damaged_model_is_said_at_once(bundle, tmp_path):
    start = time.monotonic()
    with pytest.raises(BundleError, match="no model"):
        load_bundle(tmp_path / "none")
    (save_bundle(bundle, tmp_path / "model") / "features.npz").write_bytes(b"")
    with pytest.raises(BundleError, match="damaged"):
        load_bundle(tmp_path / "model")
    assert time.monotonic() - start < 1


def test_a_later_save_removes_what_a_killed_one_left(bundle, tmp_path):
    for name, parts in {"stale": ["new"], "only copy": ["new", "old"], "running": ["new"]}.items():
        for part in parts:
            (tmp_path / f".skol_rnn-saving-{name}" / part).mkdir(parents=True)
        if name != "running":
            os.utime(tmp_path / f".skol_rnn-saving-{name}", (0, 0))
    save_bundle(bundle, tmp_path / "model")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".skol_rnn-saving-only copy", ".skol_rnn-saving-running", "model"]
