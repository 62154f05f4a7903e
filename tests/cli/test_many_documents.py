"""Many small documents take time in proportion to their number."""

from __future__ import annotations

import json
import time

import pytest
from toy import toy_table

from skol_rnn.cli.app import run


def write_files(folder, texts):
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")


def write_records(folder, texts):
    folder.mkdir()
    records = (json.dumps({"id": number, "text": text}) for number, text in enumerate(texts))
    (folder / "all.jsonl").write_text("\n".join(records), encoding="utf-8")


def write_one(folder, texts):
    folder.mkdir()
    (folder / "one.txt").write_text("".join(40 * texts), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_files, write_records, write_one])
def test_twice_as_many_take_twice_as_long(tiny_bundle, tmp_path, write):
    lines = toy_table(1, 60)["value"].tolist()
    seconds = []
    for n in (100, 1_000, 2_000):  # the first run loads what later ones need
        write(tmp_path / f"{n}", ["".join(f"{line}\n" for line in lines[i % 57 :][:3]) for i in range(n)])
        began = time.process_time()  # whatever else the machine does
        with pytest.raises(SystemExit) as end:
            run(["predict", str(tiny_bundle), str(tmp_path / f"{n}"), "--out", str(tmp_path / f"out{n}")])
        assert end.value.code == 0
        seconds.append(time.process_time() - began)
    assert seconds[2] < 2.6 * seconds[1]


def test_documents_predicted_together_have_the_labels_that_they_have_alone(tiny_bundle, tmp_path):
    lines = toy_table(1, 60)["value"].tolist()
    write_files(tmp_path / "all", ["".join(f"{line}\n" for line in lines[i : i + 1 + i % 4]) for i in range(5)])
    words = ["predict", str(tiny_bundle), "--precision", "float32"]
    paths = [(path, tmp_path / "alone") for path in sorted((tmp_path / "all").iterdir())]
    for path, out in [*paths, (tmp_path / "all", tmp_path / "together")]:
        with pytest.raises(SystemExit):
            run([*words, str(path), "--out", str(out)])
    alone, together = ({f.name: f.read_bytes() for f in (tmp_path / out).iterdir()} for out in ("alone", "together"))
    assert len(alone) == 5
    assert alone == together
