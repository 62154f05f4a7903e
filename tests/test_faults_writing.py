"""Short versions of ``benchmarks/faults_writing.py``: nothing that is written is lost, whatever ends the process."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import faults_writing
import fuzzing


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_nothing_is_lost_when_a_write_is_killed_or_fails(every):
    # A process of its own: one that has the threads of TensorFlow cannot fork safely.
    words = [sys.executable, faults_writing.__file__, "--every", str(every)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 39


@pytest.mark.slow
def test_killed_trainings_end_with_the_same_bits():
    kills, problems = faults_writing.kill_trainings(4, seed=3)
    assert kills == 4 and problems == []


@pytest.mark.redis
@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_killed_savers_and_servers_leave_a_model(program):
    if program == "valkey-server" and shutil.which(program) is None:
        pytest.skip("valkey-server is not installed")
    assert faults_writing.kill_redis(16, program) == (16, [])


@pytest.mark.parametrize("form", fuzzing.FORMATS)
def test_readers_refuse_changed_files_with_a_sentence(form, tmp_path):
    corpus, faults = tmp_path / "corpus", tmp_path / "faults"
    corpus.mkdir(), faults.mkdir()
    fuzzing.seeds(Path(__file__).parent / "data" / "broken" / form, form, corpus)
    chosen, read = random.Random(0), fuzzing.reading(form, tmp_path)
    blobs = [file.read_bytes() for file in sorted(corpus.iterdir())] or [b""]
    for blob in blobs:  # those of the folder "fuzzed" reach lines that no other one does
        fuzzing.attempt(read, blob, faults)
    for _ in range(20 if form == "parquet" else 60):
        blob = bytearray(chosen.choice(blobs))
        for _ in range(chosen.randint(1, 4)):
            place = chosen.randrange(len(blob) + 1)
            blob[place : place + chosen.choice((0, 0, 1, 9))] = chosen.choice(
                (b"", b"\0", b"\xff", b"[@", b"#", b"*]", b'"', b"\t", b"-1", b"9" * 30, chosen.choice(blobs)[:50])
            )
        fuzzing.attempt(read, bytes(blob), faults)
    assert [file.name for file in faults.iterdir()] == []
