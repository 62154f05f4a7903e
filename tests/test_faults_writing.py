"""Short versions of ``benchmarks/faults_writing.py``: nothing that is written is lost, whatever ends the process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import faults_writing
import fuzzing

ATTACKS = {attack.name: attack for attack in faults_writing.attacks()}
# A process that has threads, as those of TensorFlow, may not fork safely: the benchmark forks before it has any.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("how", ["kill", "full", "size"])
def test_nothing_is_lost_when_a_write_is_killed_or_fails(name, how):
    tried, problems = faults_writing.disturbed(ATTACKS[name], how)
    assert tried >= 2 and problems == []


@pytest.mark.slow
def test_killed_trainings_end_with_the_same_bits():
    kills, problems = faults_writing.kill_trainings(4, seed=3)
    assert kills == 4 and problems == []


@pytest.mark.redis
@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_killed_savers_and_servers_leave_a_model(program):
    import shutil

    if program == "valkey-server" and shutil.which(program) is None:
        pytest.skip("valkey-server is not installed")
    assert faults_writing.kill_redis(16, program) == (16, [])


@pytest.mark.parametrize("form", fuzzing.FORMATS)
def test_readers_refuse_changed_files_with_a_sentence(form, tmp_path):
    import random

    corpus, faults = tmp_path / "corpus", tmp_path / "faults"
    corpus.mkdir(), faults.mkdir()
    fuzzing.seeds(Path(__file__).parent / "data" / "broken" / form, form, corpus)
    chosen, read = random.Random(0), fuzzing.reading(form, tmp_path)
    blobs = [file.read_bytes() for file in sorted(corpus.iterdir())] or [b""]
    for _ in range(20 if form == "parquet" else 60):
        blob = bytearray(chosen.choice(blobs))
        for _ in range(chosen.randint(1, 4)):
            place = chosen.randrange(len(blob) + 1)
            blob[place : place + chosen.choice((0, 0, 1, 9))] = chosen.choice(
                (b"", b"\0", b"\xff", b"[@", b"#", b"*]", b'"', b"\t", b"-1", b"9" * 30, chosen.choice(blobs)[:50])
            )
        fuzzing.attempt(read, bytes(blob), faults)
    assert [file.name for file in faults.iterdir()] == []
