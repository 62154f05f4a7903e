"""A checkpoint that cannot be written, is damaged or belongs to another run is refused before any work."""

from __future__ import annotations

import errno
import os
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from toy import QUICK, SMALL, toy_table

from skol_rnn import RNNSkolModel
from skol_rnn.cli.app import run
from skol_rnn.errors import DataError
from skol_rnn.features.families import make_features
from skol_rnn.persistence.bundle import npz_bytes, read_npz
from skol_rnn.training import checkpoint as checkpoints
from skol_rnn.training.checkpoint import Checkpoint, check_place, files_of, read_checkpoint, stage_file
from skol_rnn.training.log import TrainingLog

REFIT = {**SMALL, **QUICK, "epochs": 1, "refit": True}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The checkpoints of a training and of its refit."""
    path = tmp_path_factory.mktemp("run") / "run.npz"
    RNNSkolModel(**REFIT).fit(toy_table(), checkpoint=path)
    return path


@pytest.fixture
def copied(written, tmp_path):
    for stage in ("", ".refit"):
        shutil.copy(f"{written}{stage}", tmp_path / f"run.npz{stage}")
    return tmp_path / "run.npz"


@pytest.fixture
def no_work(monkeypatch):
    def work(*_, **__):
        raise AssertionError("features are computed before the checkpoint is checked")

    monkeypatch.setattr("skol_rnn.training.fitting.make_features", work)
    assert make_features is not work


def fit(path, **change):
    return RNNSkolModel(**{**REFIT, **change}).fit(toy_table(), checkpoint=path)


@pytest.mark.parametrize("stage", [".refit", ".more2", ".fold4", ".fold12.refit.more1"])
def test_a_later_file_of_another_run_is_refused_at_once(written, tmp_path, no_work, stage):
    shutil.copy(f"{written}.refit", tmp_path / f"other.npz{stage}")
    with pytest.raises(DataError, match=f"other.npz{stage} belongs to a run with other data.*delete it"):
        fit(tmp_path / "other.npz", hidden_size=5)


@pytest.mark.parametrize("stage", ["", ".refit"])
@pytest.mark.parametrize(
    "change",
    [
        lambda blob: b"",
        lambda blob: blob[: len(blob) // 2],
        lambda blob: blob[:-1],
        lambda blob: b"\x93NUMPY" + blob,
        lambda blob: b"not a checkpoint",
        lambda blob: npz_bytes({"a": np.ones(3)}),
        lambda blob: npz_bytes({**read_npz(blob), "state": np.array("[" * 100_000)}),
        lambda blob: npz_bytes({**read_npz(blob), "state": np.array('{"fingerprint": 1, "history": []}')}),
        lambda blob: npz_bytes({**read_npz(blob), "state": np.array("null")}),
        lambda blob: npz_bytes({**read_npz(blob), "variable/0": np.array("text")}),
        lambda blob: npz_bytes({**read_npz(blob), "variable/0": np.full(3, np.nan)}),
        lambda blob: npz_bytes({**read_npz(blob), "variable/999": np.ones(3)}),
        lambda blob: npz_bytes({k: v for k, v in read_npz(blob).items() if k != "variable/1"}),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(copied, no_work, stage, change):
    file = copied.with_name(copied.name + stage)
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=r"run.npz(\.refit)? is damaged or no checkpoint .*delete it to start again\."):
        fit(copied)


def test_arrays_of_another_network_are_refused(copied):
    arrays = read_npz(copied)
    copied.write_bytes(npz_bytes({**arrays, "variable/0": np.ones(3, np.float32)}))
    with pytest.raises(DataError, match="arrays are not those of this network"):
        fit(copied)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_bit_is_said_or_harmless(written, tmp_path, place, bit):
    blob = bytearray(written.read_bytes())
    blob[int(place * len(blob))] ^= 1 << bit
    file = tmp_path / "run.npz"
    file.write_bytes(blob)
    try:
        found = read_checkpoint(file)
    except DataError as error:
        assert "run.npz is damaged or no checkpoint" in str(error)
    else:
        whole = read_checkpoint(written)
        assert found.progress == whole.progress and found.fingerprint == whole.fingerprint
        for ours, other in zip(found.variables + found.best, whole.variables + whole.best, strict=True):
            np.testing.assert_array_equal(ours, other)


def test_a_finished_run_continues_from_its_files(copied, written):
    before = {stage: read_npz(written.with_name(written.name + stage)) for stage in ("", ".refit")}
    fit(copied)
    for stage, arrays in before.items():
        again = read_npz(copied.with_name(copied.name + stage))
        assert again.keys() == arrays.keys()


@pytest.mark.parametrize("name", ["file/run.npz", "folder", "x" * 250, "pipe"])
def test_a_path_that_cannot_be_written_is_refused_before_any_work(tmp_path, no_work, name, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="The checkpoint .* (cannot be written|is a folder or a device)"):
        fit(tmp_path / name)
    with pytest.raises(SystemExit):
        run(["train", str(tmp_path / "none"), "--out", str(tmp_path / "m"), "--checkpoint", str(tmp_path / name)])
    assert re.search(f"{name}.* (cannot be written|is a folder)", capsys.readouterr().err)


def test_the_check_leaves_nothing_behind(tmp_path):
    check_place(tmp_path / "deep" / "run.npz")
    assert list((tmp_path / "deep").iterdir()) == []


def test_too_little_room_is_found_before_training(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"run.npz needs 2 MB and the disk has 0 MB free: make room"):
        fit(tmp_path / "run.npz")


def test_a_disk_that_fills_up_names_the_file_and_keeps_the_epoch_before(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 2:  # the check, and the first epoch
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        DataError, match=r"run.npz cannot be written \(No space left on device\).*has what was saved before"
    ):
        fit(tmp_path / "run.npz", epochs=3)
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "run.npz").progress["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_what_a_killed_run_left_is_removed(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    with monkeypatch.context() as killed:
        killed.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        killed.setattr("pathlib.Path.unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            fit(path)
    other = tmp_path / ".another-file.tmp"
    other.write_bytes(b"")
    assert len(list(tmp_path.glob(".*.tmp"))) == 2
    fit(path, refit=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == [other.name, "run.npz"]


def test_the_files_of_a_run_are_those_of_its_stages(tmp_path):
    path = tmp_path / "run.npz"
    own = [path, stage_file(path, "refit"), stage_file(stage_file(path, "fold2"), "more1")]
    for file in (*own, tmp_path / "run.npz.json", tmp_path / "run.npz2", tmp_path / "run.npz.folder", tmp_path / "run"):
        file.touch()
    assert sorted(files_of(path)) == sorted(own)
    assert files_of(tmp_path / "none" / "run.npz") == []


class Killed(BaseException):
    """Stands for a signal that no program can catch."""


WITHIN = {**REFIT, "epochs": 2, "batch_size": 4, "dropout": 0.3, "feature_dropout": 0.2, "sampling": "oversample"}


@pytest.fixture(scope="module")
def uninterrupted():
    """Return a model, and in how many steps it was trained."""
    calls = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TrainingLog, "step", lambda log, loss: calls.append(loss))
        return RNNSkolModel(**WITHIN).fit(toy_table(4, 30)), len(calls)


def weights_of(model):
    return [array for name, array in sorted(model.bundle().network.items())]


@pytest.mark.backends
@pytest.mark.parametrize(
    "batch", [2, pytest.param(9, marks=pytest.mark.slow), pytest.param(12, marks=pytest.mark.slow)]
)
def test_a_run_killed_within_an_epoch_ends_with_the_same_bits(uninterrupted, tmp_path, monkeypatch, batch):
    straight, steps = uninterrupted
    monkeypatch.setattr(checkpoints, "SAVED_EVERY", 0.0)
    real, calls = TrainingLog.step, []

    def killed(log, loss):
        calls.append(loss)
        if len(calls) == batch + 1:
            raise Killed
        real(log, loss)

    path = tmp_path / "run.npz"
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(TrainingLog, "step", killed)
        RNNSkolModel(**WITHIN).fit(toy_table(4, 30), checkpoint=path)
    saved = read_checkpoint(files_of(path)[-1]).progress
    assert saved["epoch"] + saved["batch"] > 0
    with monkeypatch.context() as patched:
        patched.setattr(TrainingLog, "step", lambda log, loss: calls.append(loss))
        resumed = RNNSkolModel(**WITHIN).fit(toy_table(4, 30), checkpoint=path)
    assert resumed.history_ == straight.history_
    for ours, other in zip(weights_of(resumed), weights_of(straight), strict=True):
        np.testing.assert_array_equal(ours, other)
    assert len(calls) <= steps + 3  # no batch that was saved is trained again


def test_an_epoch_is_saved_once_a_minute(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, path: written.append(self.progress["batch"]))
    now = iter(range(0, 100_000, 25))
    # The clock of the loop alone: JAX looks at the time, too.
    monkeypatch.setattr("skol_rnn.training.loop.time", SimpleNamespace(monotonic=lambda: next(now)))
    RNNSkolModel(**{**REFIT, "refit": False, "batch_size": 4}).fit(toy_table(), checkpoint=tmp_path / "run.npz")
    assert len(written) > 2 and written[-1] == 0
    assert all(number >= 2 for number in np.diff([0, *written[:-1]]))
