"""What all tests share: where the real corpora are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Return the folder of the real corpora, or skip: they are data and no part of the repository."""
    folder = Path(os.environ.get("SKOL_RNN_CORPORA", CHECKOUT.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip(f"no corpora at {folder}: set SKOL_RNN_CORPORA")
    return folder
