"""Run a command in this process."""

from __future__ import annotations

import pytest

from skol_rnn.cli.app import run


def skol(*words: object) -> int | str | None:
    """Run the words as a command and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        run([str(word) for word in words])
    return stop.value.code
