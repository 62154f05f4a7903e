"""What is written: each file whole, nothing replaced that the run did not write, and a stopped run goes on."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from commands import skol

from skol_rnn.data.document import Document
from skol_rnn.data.outputs import JOURNAL, Outputs
from skol_rnn.data.reading import DocumentStream, read_documents
from skol_rnn.data.writing import DocumentWriter, write_documents
from skol_rnn.errors import DataError

DOCUMENTS = [Document(name, f"text of {name}\nnext", ("X", None)) for name in ("a", "v1/b", "c")]


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


# Nothing is replaced


@pytest.mark.parametrize("form", ["yedda", "text", "jsonl", "csv", "ptc", "brat", "bio"])
def test_no_existing_file_is_replaced_unless_asked_for(tmp_path, form):
    write_documents(DOCUMENTS, tmp_path / "new", format=form)
    for number, (name, old) in enumerate(files_below(tmp_path / "new").items()):
        folder = fill(tmp_path / str(number), {name: "mine"})
        with pytest.raises(DataError, match="exists: give overwrite=True"):
            write_documents(DOCUMENTS, folder, format=form)
        assert files_below(folder) == {name: b"mine"}  # neither changed nor joined by others
        write_documents(DOCUMENTS, folder, format=form, overwrite=True)
        assert files_below(folder)[name] == old


def test_an_existing_table_of_labels_is_not_replaced(tmp_path):
    fill(tmp_path, {"out.labels.tsv": "7\tgold\t0\t1\n"})
    with pytest.raises(DataError, match=r"out\.labels\.tsv exists"):
        write_documents(DOCUMENTS[:1], tmp_path / "out", format="ptc")
    assert files_below(tmp_path) == {"out.labels.tsv": b"7\tgold\t0\t1\n"}


def linked(tmp_path):
    (tmp_path / "other").symlink_to(tmp_path / "in")
    return tmp_path / "other"


def hard_linked(tmp_path):
    (tmp_path / "hard").mkdir()
    for path in (tmp_path / "in").iterdir():
        os.link(path, tmp_path / "hard" / path.name)
    return tmp_path / "hard"


def spelt_otherwise(tmp_path):
    return Path(f"{tmp_path}/in/../in/.")


@pytest.mark.parametrize("spelling", [linked, hard_linked, spelt_otherwise])
@pytest.mark.parametrize(
    ("files", "form"),
    [
        ({"a.txt": "one"}, "text"),
        ({"a.txt": "one"}, "brat"),
        ({"a.txt.ann": "[@one#X*]"}, "yedda"),
        ({"a.txt": "one", "a.ann": "T1\tX 0 3\tone\n"}, "brat"),
        ({"a.txt": "one", "a.ann": "T1\tX 0 3\tone\n"}, "text"),
        ({"a.jsonl": '{"id": "a", "text": "one"}\n'}, "jsonl"),
        ({"a.csv": "doc_id,value\na,one\n"}, "csv"),
    ],
)
def test_no_input_is_replaced_whatever_it_is_called(tmp_path, spelling, files, form):
    corpus = read_documents(fill(tmp_path / "in", files))
    with pytest.raises(DataError, match="choose another folder"):
        write_documents(corpus, spelling(tmp_path), format=form, overwrite=True)
    assert {name: data.decode() for name, data in files_below(tmp_path / "in").items()} == files


def test_documents_whose_files_are_in_each_others_way_are_refused(tmp_path):
    for names in (["a", "a"], ["a", "a.jsonl/b"], ["a.jsonl/b", "a"]):
        with pytest.raises(DataError, match="different names"):
            write_documents([Document(name, "x") for name in names], tmp_path / "out", format="jsonl")
        assert not (tmp_path / "out").exists()


def test_names_that_a_file_system_takes_for_one(tmp_path, monkeypatch):
    pair = [Document("Straße", "x"), Document("STRASSE", "y")]
    write_documents(pair, tmp_path / "two", format="text")
    monkeypatch.setattr("skol_rnn.data.outputs._ignores_case", lambda folder: True)
    with pytest.raises(DataError, match="different names"):
        write_documents(pair, tmp_path / "one", format="text")


@pytest.mark.parametrize("name", ["n" * 300, "ü" * 150, "/".join(["deep" * 20] * 60), "\ud800"])
def test_names_that_cannot_name_a_file_are_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(DataError, match="rename the document"):
        write_documents([DOCUMENTS[0], Document(name, "x")], tmp_path / "out", format="text")
    assert not (tmp_path / "out").exists()


def in_the_way(folder, kind):
    folder.mkdir()
    if kind == "folder":
        (folder / "c.jsonl").mkdir()
    elif kind == "file":
        (folder / "v1").write_text("mine")
    elif kind == "pipe":
        os.mkfifo(folder / "c.jsonl")
    else:
        (folder / "v1").symlink_to(folder / "v1")


@pytest.mark.parametrize(
    ("kind", "message"),
    [("folder", "it is a folder"), ("file", "a file, not a folder"), ("pipe", "no regular file"), ("circle", "v1/b")],
)
def test_what_is_in_the_way_is_found_before_anything_is_written(tmp_path, kind, message):
    in_the_way(tmp_path / "out", kind)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message):
        write_documents(DOCUMENTS, tmp_path / "out", format="jsonl", overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_is_a_file(tmp_path):
    fill(tmp_path, {"out": "mine", "in/a.txt": "one"})
    with pytest.raises(DataError, match="is a file, not a folder"):
        write_documents(DOCUMENTS, tmp_path / "out", format="text", overwrite=True)
    assert (tmp_path / "out").read_text() == "mine"


# A run that stops


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("form", ["jsonl", "ptc", "brat"])
def test_a_full_disk_loses_nothing_and_the_same_call_goes_on(tmp_path, monkeypatch, form):
    write_documents(DOCUMENTS, tmp_path / "whole", format=form)
    whole, out = files_below(tmp_path / "whole"), tmp_path / "out"
    replace, left = os.replace, [2]

    def filling(source, target):
        left[0] -= 1
        return replace(source, target) if left[0] >= 0 else full()

    monkeypatch.setattr(os, "replace", filling)
    with pytest.raises(OSError, match=r"No space left on device: '.*/(v1/b|c|article)"):
        write_documents(DOCUMENTS, out, format=form)
    kept = {name: data for name, data in files_below(out).items() if JOURNAL not in name}
    assert len(kept) == 2 and kept.items() <= whole.items()
    monkeypatch.undo()
    assert len(write_documents(DOCUMENTS, out, format=form)) == 3
    assert files_below(out) == whole
    assert len(list(tmp_path.glob("*.labels.tsv"))) == 2 * (form == "ptc")


def test_a_stopped_run_keeps_corrections_and_other_runs_out(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyError), DocumentWriter(out, "yedda") as writer:
        writer.add(DOCUMENTS[0], ["X", "X"])
        raise KeyError
    (out / "a.txt.ann").write_text("corrected by hand")
    with pytest.raises(DataError, match="part of another run.*repeat its command"):
        DocumentWriter(out, "jsonl")
    with DocumentWriter(out, "yedda") as writer:
        assert writer.is_done(DOCUMENTS[0]) and not writer.is_done(DOCUMENTS[1])
        writer.add(DOCUMENTS[1])
        with pytest.raises(DataError, match="Another run is writing"):
            DocumentWriter(out, "yedda")
    assert [path.name for path in writer.written] == ["a.txt.ann", "b.txt.ann"]
    assert (out / "a.txt.ann").read_text() == "corrected by hand"
    with pytest.raises(DataError, match="exists"), DocumentWriter(out, "yedda") as writer:
        writer.add(DOCUMENTS[0])


def test_a_changed_document_is_written_again_and_a_file_that_a_power_failure_emptied(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyError), DocumentWriter(out, "text") as writer:
        for document in DOCUMENTS:
            writer.add(document)
        raise KeyError
    changed = Document("a", "another text")
    (out / "c.txt").write_bytes(b"\0" * 10)
    (out / "v1" / "b.txt").unlink()
    with DocumentWriter(out, "text") as writer:
        for document in (changed, *DOCUMENTS[1:]):
            assert not writer.is_done(document)
            writer.add(document)
    assert files_below(out) == {
        "a.txt": b"another text",
        "v1/b.txt": b"text of v1/b\nnext",
        "c.txt": b"text of c\nnext",
    }


@pytest.mark.parametrize("journal", [b"", b'{"format": "te', b"\xff\n", b'{"format": "text"}\n{"name": 1}\n', b"[]\n"])
def test_a_damaged_journal_never_lets_a_file_be_replaced(tmp_path, journal):
    out = fill(tmp_path / "out", {"a.txt": "mine"})
    (out / f"{JOURNAL}.jsonl").write_bytes(journal)
    with pytest.raises(DataError, match="exists|part of another run"):
        write_documents(DOCUMENTS, out, format="text")
    assert (out / "a.txt").read_text() == "mine"
    write_documents(DOCUMENTS, out, format="text", overwrite=True)
    assert len(files_below(out)) == 3


KILLS = """
import json, os, shutil, signal, sys
from pathlib import Path
from skol_rnn.data.document import Document
from skol_rnn.data.writing import write_documents

top, form = Path(sys.argv[1]), sys.argv[2]
documents = [Document(name, f"text of {name}\\nnext", ("X", None)) for name in ("a", "v1/b", "c")]

def below(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

write_documents(documents, top / "whole", format=form)
whole, table = below(top / "whole"), top / "whole.labels.tsv"
lost = []
for number in range(1000):
    out = top / f"out{number}"
    child = os.fork()
    if child == 0:
        left = number

        def kill(event, arguments):
            global left
            if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(out) in str(arguments[0]):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        sys.addaudithook(kill)
        write_documents(documents, out, format=form)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = below(out) if out.exists() else {}
    seen = {name: data for name, data in found.items() if not Path(name).name.startswith(".")}
    if not seen.items() <= whole.items():
        lost.append([number, "damaged", sorted(seen)])
    if status:
        write_documents(documents, out, format=form)
    labels = out.with_name(out.name + ".labels.tsv")
    if below(out) != whole or table.exists() and labels.read_bytes() != table.read_bytes():
        lost.append([number, "not the same", sorted(below(out))])
    if not status:
        break
print(json.dumps([number, lost]))
"""


@pytest.mark.parametrize("form", ["jsonl", "ptc"])
def test_a_kill_before_any_file_operation_loses_nothing(tmp_path, form):
    words = [sys.executable, "-c", KILLS, str(tmp_path), form]
    moments, lost = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert moments > 10
    assert lost == []
    assert not [path for path in tmp_path.rglob(".*")]  # neither a journal nor a temporary file


# Conversion


def test_convert_stops_or_skips_and_goes_on(tmp_path, capsys):
    texts = {"a.txt": "one", "b.txt": "two [@ three", "c.txt": "four"}
    source, out = fill(tmp_path / "in", texts), tmp_path / "out"
    words = ["convert", source, "--to", "yedda", "--out", out]
    assert skol(*words) == 3
    said = capsys.readouterr().err
    assert "b: line 1 contains" in said and "1 document written to" in said
    assert "give --on-error skip, and run the same command again to go on from there" in said
    fill(source, {"d.jsonl": '{"text": "five"}\n{broken\n'})
    assert skol(*words, "--on-error", "skip") == 1
    said = capsys.readouterr().err
    assert "b: line 1 contains" in said and "d.jsonl:2" in said and "2 documents skipped." in said
    assert {name for name in files_below(out) if JOURNAL not in name} == {"a.txt.ann", "c.txt.ann", "d/1.txt.ann"}
    fill(source, {"b.txt": "two three"})
    fill(source, {"d.jsonl": '{"text": "five"}\n'})
    assert skol(*words) == 0
    assert "Wrote 4 documents" in capsys.readouterr().err
    assert set(files_below(out)) == {"a.txt.ann", "b.txt.ann", "c.txt.ann", "d/1.txt.ann"}
    assert skol(*words) == 3
    assert f"{out / 'a.txt.ann'} exists: give --overwrite" in capsys.readouterr().err
    assert skol(*words, "--overwrite") == 0


def test_convert_into_its_own_folder_goes_on_without_reading_what_it_wrote(tmp_path, monkeypatch):
    source = fill(tmp_path / "in", {f"{name}.txt": name for name in "abc"})
    add = DocumentWriter.add

    def stop_at_c(self, document, *more, **facts):
        if document.doc_id == "c":
            raise KeyboardInterrupt
        return add(self, document, *more, **facts)

    monkeypatch.setattr(DocumentWriter, "add", stop_at_c)
    assert skol("convert", source, "--to", "jsonl", "--out", source) == 130
    monkeypatch.undo()
    assert skol("convert", source, "--to", "jsonl", "--out", source) == 0
    assert set(files_below(source)) == {f"{name}.{ending}" for name in "abc" for ending in ("txt", "jsonl")}


def test_convert_writes_records_and_one_document_to_standard_output(tmp_path, capfdbinary):
    source = fill(tmp_path / "in", {"a.txt.ann": "[@one#X*]\ntwo", "b.txt.ann": "[@three#X*]"})
    for form in ("jsonl", "csv"):
        assert skol("convert", source, "--to", form, "--out", "-") == 0
        (tmp_path / f"all.{form}").write_bytes(capfdbinary.readouterr().out)
        read = read_documents(tmp_path / f"all.{form}")
        assert [document.labels for document in read] == [("X", None), ("X",)]
    assert skol("convert", source / "a.txt.ann", "--to", "yedda", "--out", "-") == 0
    assert capfdbinary.readouterr().out == b"[@one#X*]\ntwo"
    assert skol("convert", source, "--to", "yedda", "--out", "-") == 3
    assert b"b is the second" in capfdbinary.readouterr().err
    assert skol("convert", source, "--to", "parquet", "--out", "-") == 2
    assert skol("convert", source, "--to", "jsonl", "--out", "-", "--json") == 2


def test_convert_holds_one_document_at_a_time(tmp_path, monkeypatch):
    source = fill(tmp_path / "in", {f"{number}.txt": "text" for number in range(30)})
    alive, most, iterate = weakref.WeakSet(), [0], DocumentStream.__iter__
    monkeypatch.setattr(Document, "__hash__", object.__hash__)

    def counted(self):
        for document in iterate(self):
            alive.add(document)
            most[0] = max(most[0], len(alive))
            yield document

    monkeypatch.setattr(DocumentStream, "__iter__", counted)
    assert skol("convert", source, "--to", "jsonl", "--out", tmp_path / "out") == 0
    assert len(files_below(tmp_path / "out")) == 30 and most[0] <= 3


def test_many_files_take_time_in_proportion(tmp_path):
    def seconds(number):
        outputs = Outputs(tmp_path / str(number), {})
        begun = time.process_time()
        for index in range(number):
            outputs.claim(str(index), [tmp_path / str(number) / f"{index}.txt"])
        return time.process_time() - begun

    few = min(seconds(1_000) for _ in range(3))
    assert seconds(4_000) < 10 * few
