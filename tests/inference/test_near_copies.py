"""Near copies of training documents are named, whatever was done to them, and different documents are not."""

from __future__ import annotations

import base64
import json
import random
import textwrap
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from toy import QUICK, SMALL, toy_table

from skol_rnn import RNNSkolModel, load_model
from skol_rnn.cli.app import run
from skol_rnn.data.near_copies import near_copies, sketches
from skol_rnn.data.reading import read_documents
from skol_rnn.errors import SeenWarning
from skol_rnn.persistence.bundle import load_bundle, save_bundle
from skol_rnn.report.training import seen_documents, seen_sentence

SYLLABLES = "ba ce di fo gu ha ke li mo nu pa re si to vu".split()


def text(seed, lines=40):
    """Make lines of random words, which no other seed has."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=3)) for _ in range(8 * lines)]
    return [" ".join(words[i : i + 8]).capitalize() + "." for i in range(0, len(words), 8)]


def table(**documents):
    return pd.DataFrame(
        [(name, value) for name, lines in documents.items() for value in lines], columns=["doc_id", "value"]
    )


def misread(lines, share, seed=0):
    """Change a share of the characters, as a scanner does."""
    rng = random.Random(seed)
    return ["".join(rng.choice("aeiou") if rng.random() < share else c for c in line) for line in lines]


COPIES = {
    "20 % of the lines are others": lambda a: [line if i % 5 else text(i, 1)[0] for i, line in enumerate(a)],
    "characters corrected": lambda a: misread(a, 0.02),
    "no header": lambda a: a[6:],
    "first half": lambda a: a[:20],
    "second half": lambda a: a[20:],
    "wrapped anew, other case": lambda a: textwrap.wrap(" ".join(a).upper(), 50),
    "one token a row": lambda a: " ".join(a).split(),
    "inside of a larger one": lambda a: text("before", 60) + a + text("after", 60),
    "lines in another order": lambda a: random.Random(0).sample(a, len(a)),
}
KNOWN = {f"doc{i}": text(i) for i in range(8)}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_named_with_its_original(change):
    found = near_copies(table(new=COPIES[change](KNOWN["doc3"]), other=text("other")), sketches(table(**KNOWN)))
    assert [(copy.document, copy.of) for copy in found] == [("new", "doc3")]
    assert 0.5 <= found[0].share <= 1


def test_many_variants_of_one_document_are_all_named():
    variants = {str(i): change(KNOWN["doc0"]) for i, change in enumerate(COPIES.values())}
    found = near_copies(table(**variants), sketches(table(**KNOWN)))
    assert {copy.document: copy.of for copy in found} == dict.fromkeys(variants, "doc0")


def test_a_page_of_a_volume_is_named():
    volume = {f"vol{i}": text(f"vol{i}", 3_000) for i in range(3)}
    found = near_copies(table(page=volume["vol1"][900:1200]), sketches(table(**volume)))
    assert [(copy.document, copy.of) for copy in found] == [("page", "vol1")]


@pytest.mark.parametrize(("known", "scored"), [(20, 5), (3, 1), (2, 1), (2, 30)])
def test_forms_with_the_same_printed_text_are_different_documents(known, scored):
    printed = text("form", 30)
    forms = [[*printed[:15], *text(f"own {i}", 6), *printed[15:]] for i in range(known + scored)]
    old = table(**{f"old{i}": form for i, form in enumerate(forms[:known])})
    new = table(**{f"new{i}": form for i, form in enumerate(forms[known:])})
    assert near_copies(new, sketches(old)) == []


def test_a_copy_of_a_form_is_named_by_what_is_written_in_it():
    printed = text("form", 30)
    forms = {f"form{i}": [*printed, *text(f"own {i}", 6)] for i in range(12)}
    found = near_copies(table(again=forms["form7"][2:]), sketches(table(**forms)))
    assert [(copy.document, copy.of) for copy in found] == [("again", "form7")]


def test_short_documents_have_no_sketch():
    assert sketches(table(a=["Thanks to our friends."], b=[], c=["+ - *"] * 500)) == {}


def test_nothing_is_a_copy_of_nothing():
    assert sketches(table()) == {} and near_copies(table(), sketches(table(**KNOWN))) == []
    assert near_copies(table(a=text(0)), {}) == []


@given(st.lists(st.text(max_size=60), max_size=30))
@examples(max_examples=8)
def test_any_text_has_a_sketch_that_it_contains(lines):
    data = table(a=[*lines, *KNOWN["doc0"]], b=lines)
    found = near_copies(data, sketches(data))
    assert ("a", "a", 1.0) in found


def test_the_size_of_all_sketches_is_bounded():
    known = {f"d{i}": text(i, 6) for i in range(300)}
    few = sketches(table(**known))
    assert {len(base64.b64decode(one)) for one in few.values()} == {4 * 64}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("skol_rnn.data.near_copies._MOST_VALUES", 1_000)
        many = sketches(table(**known))
    assert {len(base64.b64decode(one)) for one in many.values()} == {4 * 16}
    found = near_copies(table(**{name: lines[1:] for name, lines in known.items()}), many)
    assert [copy.document == copy.of for copy in found] == [True] * 300


def labelled(rows):
    return rows.assign(label=[["Misc", "Nomenclature"][i % 4 == 0] for i in range(len(rows))])


@pytest.fixture(scope="module")
def model():
    """A model whose validation set has a near copy of a training document; its documents have numbers for names."""
    training = labelled(table(**{str(i): text(i) for i in range(4)}))
    validation = labelled(table(**{"0": text("unseen"), "1": text(2)[5:], "2": text(1)}))
    with pytest.warns(SeenWarning) as told:
        model = RNNSkolModel(epochs=1, **SMALL | QUICK).fit(training, validation=validation)
    model.told = " ".join(str(one.message) for one in told)
    return model


def test_fit_warns_of_copies_in_the_validation_set(model):
    assert "validated with the same text: 2." in model.told
    assert "near copies of training documents: 1 of 2, 100% of the text" in model.told


def test_documents_of_both_sets_that_share_a_name_are_both_recorded(model):
    assert list(model.card_["documents"]) == [*"0123", "0 (validation)", "1 (validation)", "2 (validation)"]
    assert set(model.card_["sketches"]) == set(model.card_["documents"])
    seen = seen_documents(table(a=text(0), b=text("unseen"), c=text(3)[4:], d=text("new")), model.card_)
    assert (seen.training, seen.validation) == (["a"], ["b"])
    assert [(copy.document, copy.of) for copy in seen.copies] == [("c", "3")]


def test_a_drawn_validation_set_is_checked_too():
    documents = {str(i): text(i % 3)[i:] for i in range(6)}
    with pytest.warns(SeenWarning, match="near copies of training documents: . of ., 100% of the text"):
        RNNSkolModel(epochs=1, **SMALL | QUICK).fit(labelled(table(**documents)))


def test_documents_of_a_real_kind_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeenWarning)
        RNNSkolModel(epochs=1, **SMALL | QUICK).fit(toy_table())


def test_evaluate_and_the_report_name_near_copies_and_score_the_others(model, tmp_path, capsys):
    path = model.save(tmp_path / "model")
    rows = labelled(table(again=text(3)[4:], new=text("new")))
    rows.to_csv(tmp_path / "scored.csv", index=False)
    with pytest.raises(SystemExit) as stop:
        run(["evaluate", str(path), str(tmp_path / "scored.csv"), "--json"])
    assert stop.value.code == 0
    out, err = capsys.readouterr()
    expected = model.evaluate(rows[rows["doc_id"] == "new"]).important_f1
    assert "1 of the 2 documents is a near copy of one that the model has seen (again of 3, 100% of the text)" in err
    assert f"Without them: important F1 {expected:.4f}." in err
    seen = json.loads(out)["seen"]
    assert seen["near_copies"] == [{"document": "again", "of": "3", "share": 1.0}]
    assert seen["important_f1_without"] == pytest.approx(expected)
    pytest.importorskip("jinja2")
    page = load_model(path).report(model.predicted(rows))
    assert "near copy of one that the model has seen (again of 3, 100% of the text)" in page
    assert f"Without them: important F1 {expected:.4f}." in page


def test_a_model_saved_without_sketches_loads_and_knows_exact_copies(model, tmp_path):
    bundle = model.bundle()
    card = {key: value for key, value in bundle.state["card"].items() if key != "sketches"}
    older = save_bundle(replace(bundle, state={**bundle.state, "card": card}), tmp_path / "older.skol")
    record = load_model(older).training_record()
    seen = seen_documents(table(a=text(0), c=text(3)[4:]), record)
    assert (seen.training, seen.copies) == (["a"], [])


def test_hostile_names_are_shown_escaped():
    card = {"documents": {"\x1b[31m": "0" * 64}, "split": {"training": ["\x1b[31m"]}}
    card["sketches"] = {"\x1b[31m": sketches(table(a=text(0)))["a"]}
    sentence = seen_sentence(seen_documents(table(x=text(0)[1:]), card), 1, card)
    assert "x of \\x1b[31m" in sentence and "\x1b" not in sentence


def test_sketches_survive_the_bundle(model, tmp_path):
    assert load_bundle(model.save(tmp_path / "m.skol")).state["card"]["sketches"] == model.card_["sketches"]


@pytest.mark.slow
def test_real_volumes_and_articles(corpora):
    def read(part):
        return {one.doc_id: list(one.columns()["value"]) for one in read_documents(str(corpora / "skol" / part))}

    known = read("train") | read("dev")
    pieces = {f"{name}:{i}": lines[i : i + 300] for name, lines in known.items() for i in range(0, len(lines), 300)}
    names = list(pieces)
    half = sketches(table(**{name: pieces[name] for name in names[::2]}))
    assert near_copies(table(**{name: pieces[name] for name in names[1::2]}), half) == []
    rng = np.random.default_rng(0)
    fresh = {name: [line if rng.random() < 0.85 else text(line, 1)[0] for line in pieces[name]] for name in names[::2]}
    found = near_copies(table(**fresh), half)
    assert len(found) >= 0.98 * len(half)
    assert sum(copy.document == copy.of for copy in found) == len(found)
