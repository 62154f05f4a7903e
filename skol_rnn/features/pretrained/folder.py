"""A pretrained model in a local folder: its tokeniser, its arrays, and their hash.  Nothing is downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.labels import printable

_TOKENIZER, _WEIGHTS = "tokenizer.json", "*.safetensors"


def check_folder(folder: str | Path) -> Path:
    """Check, before any work, that a folder looks like a model and that what reads it is installed."""
    check_installed("tokenizers", "safetensors")
    path = Path(folder)
    if not path.is_dir():
        raise DataError(f"There is no folder {_shown(path)} of vectors: give the folder of a model.")
    if not (path / _TOKENIZER).is_file():
        raise DataError(f"{_shown(path)} holds no {_TOKENIZER}: save the model with its fast tokeniser.")
    if not weight_files(path):
        raise DataError(f"{_shown(path)} holds no arrays ({_WEIGHTS}): save the model as safetensors.")
    return path


def check_installed(*modules: str) -> None:
    """Raise an ImportError that names the extra."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"vectors need {' and '.join(missing)}: pip install 'skol_rnn[vectors]'")


def weight_files(folder: Path) -> list[Path]:
    """Return the files of arrays, in order."""
    return sorted(path for path in folder.glob(_WEIGHTS) if path.is_file())


def read_arrays(folder: Path, wanted: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Read arrays whose names end as wanted; all by default."""
    from safetensors import safe_open

    arrays: dict[str, np.ndarray] = {}
    for file in weight_files(folder):
        try:
            with safe_open(file, "numpy") as opened:
                names = [name for name in opened.keys() if not wanted or name.endswith(tuple(wanted))]  # noqa: SIM118
                arrays |= {name: opened.get_tensor(name) for name in names}
        except Exception as error:  # a damaged file raises errors of many kinds
            raise DataError(
                f"{_shown(file)} is damaged or no safetensors file ({error!s:.200}): copy it again."
            ) from error
    return arrays


def read_tokenizer(folder: Path) -> bytes:
    """Read the file of the tokeniser."""
    return (folder / _TOKENIZER).read_bytes()


def read_config(folder: Path) -> Mapping[str, Any]:
    """Read what is known of a transformer's form."""
    file = folder / "config.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise DataError(f"{_shown(file)} is missing or damaged ({error!s:.200}): copy the model again.") from error
    return found


def hash_of(folder: Path) -> str:
    """Return the SHA-256 of the files that vectors are computed from."""
    digest = hashlib.sha256()
    for file in [folder / _TOKENIZER, *weight_files(folder)]:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


class Tokenizer:
    """Cuts words into the pieces of a pretrained model."""

    def __init__(self, source: bytes) -> None:
        from tokenizers import Tokenizer as Reader

        try:
            self._tokenizer = Reader.from_str(source.decode("utf-8"))
        except Exception as error:  # the library raises no narrower kind
            raise DataError(f"{_TOKENIZER} is damaged or no tokeniser ({error!s:.200}): copy it again.") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.size: int = self._tokenizer.get_vocab_size()

    def pieces(self, words: Sequence[str]) -> list[list[int]]:
        """Return the ids of each word's pieces, as after a space."""
        # The library takes no lone surrogates.
        texts = [" " + word.encode("utf-8", "replace").decode("utf-8") for word in words]
        return [one.ids for one in self._tokenizer.encode_batch(texts, add_special_tokens=False)]

    def frame(self) -> tuple[list[int], list[int]]:
        """Return the ids that go before and after a text."""
        ids: list[int] = self._tokenizer.encode("", add_special_tokens=True).ids
        return ids[: (len(ids) + 1) // 2], ids[(len(ids) + 1) // 2 :]


def _shown(path: Path) -> str:
    return printable(str(path))
