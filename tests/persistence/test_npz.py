"""Archives of arrays: equal arrays give equal bytes, and any damage is reported."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.errors import DataError
from skol_rnn.persistence.archive import npz_bytes, read_npz

ARRAYS = {"ids": np.arange(40, dtype=np.int32).reshape(8, 5), "names": np.array(["Nomenclature", "Misc"])}


def compressed() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **ARRAYS)
    return file.getvalue()


def test_what_is_written_is_read() -> None:
    read = read_npz(npz_bytes(ARRAYS))
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_no_arrays_are_an_archive_too(tmp_path: Path) -> None:
    (tmp_path / "none.npz").write_bytes(npz_bytes({}))
    assert read_npz(npz_bytes({})) == read_npz(tmp_path / "none.npz") == {}


def test_equal_arrays_are_equal_bytes() -> None:
    assert npz_bytes(ARRAYS) == npz_bytes({name: array.copy() for name, array in ARRAYS.items()})


@settings(deadline=None, max_examples=150)
@given(st.booleans(), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_said_or_harmless(packed: bool, place: int, change: int) -> None:
    data = bytearray(compressed() if packed else npz_bytes(ARRAYS))
    data[place % len(data)] ^= change
    try:
        read = read_npz(bytes(data))
    except DataError:
        return
    for name in set(read) & set(ARRAYS):  # a byte of no meaning, such as a date, or of a name
        np.testing.assert_array_equal(read[name], ARRAYS[name])


def test_a_single_array_is_refused() -> None:
    file = io.BytesIO()
    np.save(file, ARRAYS["ids"])
    with pytest.raises(DataError, match="not a zip file"):
        read_npz(file.getvalue())


def test_objects_are_not_unpickled() -> None:
    file = io.BytesIO()
    np.savez(file, evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="pickle"):
        read_npz(file.getvalue())


def test_a_member_cut_off_is_said() -> None:
    cut = io.BytesIO()
    with zipfile.ZipFile(cut, "w") as archive:
        archive.writestr("ids.npy", zipfile.ZipFile(io.BytesIO(npz_bytes(ARRAYS))).read("ids.npy")[:-8])
    with pytest.raises(DataError, match="damaged"):
        read_npz(cut.getvalue())
