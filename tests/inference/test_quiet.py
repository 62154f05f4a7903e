"""What libraries print while they start is hidden, unless there is an error or the user asked for it."""

from __future__ import annotations

import os

import pytest

from skol_rnn.errors import DataError
from skol_rnn.inference.quiet import quiet_start

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@pytest.fixture(autouse=True)
def _level(monkeypatch):
    monkeypatch.setenv(LEVEL, "0")  # so that it is restored
    monkeypatch.delenv(LEVEL)


def noise():
    os.write(2, b"noise\n")


def test_messages_are_hidden_and_the_stream_is_back_afterwards(capfd):
    with quiet_start() as hidden:
        noise()
    os.write(2, b"afterwards\n")
    assert hidden and capfd.readouterr().err == "afterwards\n"
    assert os.environ[LEVEL] == "3"


def test_messages_are_shown_with_an_error_that_is_not_ours(capfd):
    with pytest.raises(OSError, match="no library"), quiet_start():
        noise()
        raise OSError("no library")
    assert capfd.readouterr().err == "noise\n"


def test_our_own_errors_speak_for_themselves(capfd):
    with pytest.raises(DataError), quiet_start():
        noise()
        raise DataError("no document")
    assert capfd.readouterr().err == ""


def test_a_user_who_has_chosen_a_level_sees_everything(capfd, monkeypatch):
    monkeypatch.setenv(LEVEL, "1")
    with quiet_start() as hidden:
        noise()
    assert not hidden and capfd.readouterr().err == "noise\n"
