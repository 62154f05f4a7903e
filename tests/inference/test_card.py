"""A model says what it is: the same facts as JSON and as a README, which info shows and loading checks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from toy import QUICK, SMALL, as_documents, toy_table

from skol_rnn import RNNSkolModel, load_model, load_serving
from skol_rnn.cli.app import run
from skol_rnn.errors import BundleError
from skol_rnn.inference.card import card_text
from skol_rnn.persistence.bundle import load_bundle, save_bundle


def info(path, capsys, *words):
    with pytest.raises(SystemExit) as stop:
        run(["info", str(path), *words])
    assert stop.value.code == 0
    return capsys.readouterr().out


def metadata(text):
    """Read the metadata block; each value is JSON."""
    lines = text.split("---\n")[1].splitlines()
    return {line.partition(": ")[0]: json.loads(line.partition(": ")[2]) for line in lines}


def test_the_card_has_the_hash_of_the_text_of_each_document(tiny_model):
    documents, _ = as_documents(toy_table())
    hashes = {f"doc{i}": hashlib.sha256("\n".join(lines).encode()).hexdigest() for i, lines in enumerate(documents)}
    assert tiny_model.card_["documents"] == hashes


def test_the_card_agrees_with_the_model(tiny_model):
    card, split = tiny_model.card_, tiny_model.card_["split"]
    assert sorted(split["training"] + split["validation"]) == [f"doc{i}" for i in range(6)]
    assert (split["how"], split["validation"]) == ("drawn", tiny_model.validation_documents_)
    assert card["counts"] == dict(zip(tiny_model.labels_, tiny_model.counts_, strict=True))
    assert card["weights"] == dict(zip(tiny_model.labels_, tiny_model.weights_, strict=True))
    assert card["settings"]["hidden_size"] == SMALL["hidden_size"]
    assert card["decision"] == tiny_model.decided_by
    assert json.loads(json.dumps(card)) == card
    table = toy_table()
    scores = tiny_model.evaluate(table[table["doc_id"].isin(split["validation"])])
    assert card["scores"]["important_f1"] == scores.important_f1
    assert (
        card["scores"]["labels"]["Nomenclature"]["support"] == scores.support[tiny_model.labels_.index("Nomenclature")]
    )


def test_the_readme_says_what_the_state_says(tiny_bundle, tiny_model):
    text = (tiny_bundle / "README.md").read_text("utf-8")
    card = json.loads((tiny_bundle / "model.json").read_text("utf-8"))["card"]
    assert card == tiny_model.card_
    block = metadata(text)
    assert block["library_name"] == "skol_rnn"
    assert block["model-index"][0]["results"][0]["metrics"][0]["value"] == card["scores"]["important_f1"]
    for name, digest in card["documents"].items():
        part = "validation" if name in card["split"]["validation"] else "training"
        assert f"| {name} | {part} | `{digest[:16]}` |" in text
    for label, count in card["counts"].items():
        assert f"| {label} | {count:,} |" in text
    assert json.loads(text.split("```json\n")[1].split("```")[0])["settings"] == card["settings"]
    for heading in ("How to load it", "Training data", "Scores", "Probabilities and decision", "Settings", "Limits"):
        assert f"\n## {heading}\n" in text


@pytest.mark.parametrize("name", ["model", "model.skol"])
def test_a_model_without_a_card_loads_and_gets_none(tiny_bundle, tmp_path, capsys, name):
    bundle = load_bundle(tiny_bundle)
    state = {key: value for key, value in bundle.state.items() if key != "card"}
    older = save_bundle(replace(bundle, state=state, card=None), tmp_path / name)
    model = load_model(older)
    assert model.card_ == {}
    assert model.bundle().card is None
    assert load_serving(older).labels == tuple(model.labels_)
    assert "Trained on" not in info(older, capsys)


def test_a_changed_or_missing_readme_is_refused(tiny_bundle, tmp_path):
    path = save_bundle(load_bundle(tiny_bundle), tmp_path / "model")
    text = (path / "README.md").read_text("utf-8")
    (path / "README.md").write_text(text.replace("0.", "0.9"), "utf-8")
    with pytest.raises(BundleError, match=r"README\.md is damaged"):
        load_bundle(path)
    (path / "README.md").unlink()
    with pytest.raises(BundleError, match=r"README\.md is missing"):
        load_bundle(path)


def test_a_saved_model_keeps_its_card(tiny_bundle, tiny_model, tmp_path):
    again = load_model(tiny_bundle).save(tmp_path / "again.skol")
    assert load_bundle(again).card == load_bundle(tiny_bundle).card


def test_given_validation_documents_are_named_and_hashed():
    table = toy_table(4)
    model = RNNSkolModel(epochs=1, **SMALL | QUICK)
    model.fit(table[table["doc_id"] < "doc2"], validation=table[table["doc_id"] >= "doc2"])
    assert model.card_["split"] == {
        "how": "given", "training": ["doc0", "doc1"], "validation": ["doc2", "doc3"], "refit": False, "folds": 0,
    }  # fmt: skip
    assert list(model.card_["documents"]) == ["doc0", "doc1", "doc2", "doc3"]
    scores = model.card_["scores"]
    low, high = scores["intervals"]["important_f1"]
    assert low <= scores["important_f1"] <= high
    assert f"{scores['important_f1']:.3f} [{low:.3f}, {high:.3f}]" in model.bundle().card


def test_without_a_validation_set_the_card_says_how_to_measure(tiny_bundle):
    state = load_bundle(tiny_bundle).state
    card = {
        **state["card"],
        "scores": None,
        "split": {"how": "none", "training": ["a"], "validation": [], "refit": False},
    }
    text = card_text({**state, "card": card})
    assert "There was no validation set" in text and "skol-rnn evaluate" in text
    assert "model-index" not in metadata(text)


def test_hostile_names_stay_text(tiny_bundle, tmp_path, capsys):
    bundle = load_bundle(tiny_bundle)
    hostile = "<script>|[red]\x1b[31m\n`x`"
    text = json.dumps(bundle.state).replace('"Nomenclature', json.dumps(hostile)[:-1]).replace("/Nomenclature", "/Bad")
    state = json.loads(text.replace('"doc0', json.dumps("# --- <b>")[:-1]))
    state["history"] = {}
    written = card_text(state)
    assert metadata(written)["model-index"][0]["results"][0]["metrics"][-1]["name"].startswith(hostile)
    body = written.split("---\n", 2)[2].partition("## Settings")[0]
    assert not any(raw in body for raw in ("| <", "\n# --- ", "[red]", "\x1b", "`x`"))
    path = save_bundle(replace(bundle, state=state, card=written), tmp_path / "model.skol")
    out = info(path, capsys)
    assert "[red]\\x1b[31m" in out and "\x1b[31m" not in out


def test_info_shows_the_card(tiny_bundle, tiny_model, capsys):
    out = info(tiny_bundle, capsys)
    assert f"Trained on {tiny_model.card_['date']} with skol_rnn" in out
    assert "Training set: 5 documents. Validation set: 1 document, drawn by document." in out
    assert f"important F1   │           │        │ {tiny_model.card_['scores']['important_f1']:.3f}" in out
    assert json.loads(info(tiny_bundle, capsys, "--json"))["card"] == tiny_model.card_
