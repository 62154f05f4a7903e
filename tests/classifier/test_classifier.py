"""SkolClassifierV2 with pandas: units, splits, weights, output, storage, and former options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
from toy import SMALL

import skol_rnn
from skol_rnn.classifier import DESTINATIONS, SOURCES, SkolClassifierV2
from skol_rnn.classifier.labelling import annotated_text
from skol_rnn.classifier.options import IGNORED, WITHOUT_EFFECT, saved_options
from skol_rnn.classifier.reading import read_units
from skol_rnn.classifier.segmentation import unit_rows
from skol_rnn.classifier.training import recommended_weights
from skol_rnn.data.document import Document
from skol_rnn.data.formats.yedda import parse_yedda
from skol_rnn.data.reading import read_documents
from skol_rnn.errors import DataError, ModelNotFoundError, NotTrainedError

ROOT = Path(skol_rnn.__file__).resolve().parent.parent
SAMPLE = ROOT / "skol_rnn" / "datasets" / "sample"
# The shortest documents.
TRAIN = sorted(sorted((SAMPLE / "train").rglob("*.ann"), key=lambda path: path.stat().st_size)[:4])
OPTIONS = {"file_paths": TRAIN, "epochs": 1, "output_dest": "strings", **SMALL}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "rnn.v1"
    classifier = SkolClassifierV2(
        **OPTIONS, extraction_mode="line", weight_strategy="inverse", model_storage="disk", model_path=path
    )
    classifier.stats = classifier.fit()
    classifier.save_model()
    return classifier


def test_scores_are_flat_and_under_test_stats_and_of_other_documents(trained):
    stats = trained.stats
    assert stats["test_stats"]["Nomenclature_f1"] == stats["Nomenclature_f1"]
    assert stats["total_predictions"] == stats["test_size"] == sum(r["count"] for r in stats["class_frequencies"])
    assert stats["train_size"] + stats["test_size"] == len(read_units(trained, labelled=True))
    assert sum(trained.get_label_frequencies().values()) == stats["train_size"]


def test_weights_follow_the_training_part_and_stay_monotone(trained):
    counts = trained.get_label_frequencies()
    for strategy in ("inverse", "balanced", "aggressive"):
        weights = trained.get_recommended_class_weights(strategy)
        assert sorted(weights, key=weights.get) == sorted(counts, key=counts.get, reverse=True)
    assert trained.model.class_weights == pytest.approx(trained.get_recommended_class_weights("inverse"))
    assert recommended_weights({"a": 334, "b": 333, "c": 333}, "inverse", 0.1, 100) == pytest.approx(
        {"a": 0.998, "b": 1.001, "c": 1.001}, abs=1e-3
    )


@pytest.mark.parametrize("mode", ["line", "paragraph", "section"])
def test_every_mode_loses_no_character_and_numbers_the_document(mode):
    for document in read_documents(SAMPLE / "test"):
        rows = unit_rows(document, mode)
        assert rows["line_number"].tolist() == list(range(len(rows)))
        text = "".join(rows["text_before"] + rows["value"]) + "".join(rows["text_after"])
        assert text == document.text


def test_sections_train_and_predict_all_labels_without_collapsing():
    classifier = SkolClassifierV2(**OPTIONS, extraction_mode="section", collapse_labels=False)
    labels = classifier.fit()["labels"]
    assert len(labels) > 3
    rows = classifier.predict()
    assert rows["predicted_label"].isin(labels).all()
    documents = {document.doc_id: document.text for document in read_documents(TRAIN)}
    texts = [parse_yedda(text).text for text in classifier.save_annotated(rows)]
    assert texts == [documents[name] for name in sorted(documents)]


def test_sections_are_named_and_filtered():
    document = Document("a", "Title\n\nIntroduction\nIt begins\n\nmore\n\nReferences\nSmith\n")
    rows = unit_rows(document, "section")
    assert rows["section_name"].tolist() == [None, "Introduction", "Introduction", "References"]
    assert unit_rows(document, "section", ["introduction"])["value"].tolist() == ["Introduction\nIt begins", "more"]


def test_page_markers_are_put_back_where_they_were_and_unlabelled(trained):
    text = "Genus nova\n--- PDF Page 2 Label 7 ---\nPileus red\n"
    rows = trained.predict([text])
    assert rows["predicted_label"].isna().tolist() == [False, True, False]
    assert "\n--- PDF Page 2 Label 7 ---\n" in trained.save_annotated(rows)[0]


def test_rows_keep_their_text_order_and_attachments(trained):
    rows = pd.DataFrame(
        [("d", name, i, f"{name} {i}") for i in (2, 0, 1) for name in ("x.txt", "y.txt")],
        columns=["doc_id", "attachment_name", "line_number", "value"],
    )
    found = trained.predict(rows)
    assert found["value"].tolist() == rows["value"].tolist()
    texts = trained.save_annotated(found)
    assert [[line.split("#")[0] for line in text.split("\n")] for text in texts] == [
        [f"[@{name} {i}" for i in range(3)] for name in ("x.txt", "y.txt")
    ]


def test_text_that_is_markup_itself_is_refused_by_name(trained):
    with pytest.raises(DataError, match="Document '000000'.*reads as markup"):
        trained.predict(["see [@this\n"])


def test_an_empty_text_has_no_units(trained):
    assert trained.predict(["", "Genus nova\n"])["value"].tolist() == ["Genus nova"]


def test_runs_share_a_block_when_coalesced():
    rows = pd.DataFrame({"doc_id": "d", "value": list("abc"), "predicted_label": ["X", "X", "Y"]})
    assert annotated_text(rows, coalesce=True) == "[@a\nb#X*]\n[@c#Y*]"
    assert annotated_text(rows, coalesce=False) == "[@a#X*]\n[@b#X*]\n[@c#Y*]"


def test_files_of_equal_names_are_both_written(trained, tmp_path):
    for volume in "ab":
        (tmp_path / "in" / volume).mkdir(parents=True)
        (tmp_path / "in" / volume / "s1.txt").write_text(f"Genus {volume}\n", encoding="utf-8")
    trained.file_paths, trained.output_dest, trained.output_path = [tmp_path / "in"], "files", tmp_path / "out"
    try:
        assert trained.save_annotated(trained.predict()) is None
    finally:
        trained.file_paths, trained.output_dest = OPTIONS["file_paths"], "strings"
    for volume in "ab":
        assert f"[@Genus {volume}#" in (tmp_path / "out" / volume / "s1.txt.ann").read_text("utf-8")


@pytest.mark.parametrize("form", ["labels", "probs"])
def test_other_output_formats(trained, form):
    classifier = SkolClassifierV2(**stored(trained), output_format=form, output_dest="strings")
    rows = classifier.predict(["Genus nova\n\nPileus red\n"])
    assert {"line_number", "predicted_label"} <= set(rows.columns) and "value" not in rows
    assert ({"probability", "probabilities"} <= set(rows.columns)) == (form == "probs")
    lines = classifier.save_annotated(rows)[0].split("\n")
    assert len(lines) == 3 and lines[1].split("\t")[1] == rows["predicted_label"][0]


def stored(trained):
    return {"model_storage": "disk", "model_path": trained.model_path, "auto_load_model": True}


def test_a_second_process_predicts_the_same(trained, tmp_path):
    code = f"""
from skol_rnn.classifier import SkolClassifierV2
c = SkolClassifierV2(model_storage="disk", model_path={str(trained.model_path)!r}, auto_load_model=True)
c.predict(["Genus nova\\nPileus red\\n"]).to_json({str(tmp_path / "rows.json")!r}, double_precision=15)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    other, here = pd.read_json(tmp_path / "rows.json"), trained.predict(["Genus nova\nPileus red\n"])
    assert other["predicted_label"].tolist() == here["predicted_label"].tolist()
    assert sum(other["probabilities"].tolist(), []) == pytest.approx(sum(here["probabilities"].tolist(), []), abs=1e-9)


def test_everything_is_restored_and_saved_again_alike(trained):
    again = SkolClassifierV2(**stored(trained))
    assert again.extraction_mode == "line" and again.weight_strategy == "inverse"
    assert again.get_model_info() == trained.get_model_info()
    assert again.get_label_frequencies() == trained.get_label_frequencies()
    version = again.save_model()
    assert version.id[-16:] == again.store.versions()[0].id[-16:]
    assert again.store.load() == again.store.load(again.store.versions()[0].id)


def test_what_contradicts_the_saved_model_is_refused_and_what_may_change_changes(trained):
    with pytest.raises(DataError, match="trained with extraction_mode='line', but extraction_mode is 'section'"):
        SkolClassifierV2(**stored(trained), extraction_mode="section")
    with pytest.raises(DataError, match="trained with hidden_size=6, but hidden_size is 99"):
        SkolClassifierV2(**stored(trained), hidden_size=99)
    tuned = SkolClassifierV2(**stored(trained), prediction_stride=3)
    assert tuned.get_model_info()["parameters"]["prediction_stride"] == 3


def test_a_model_of_an_earlier_version_is_compared_under_the_current_names(trained):
    state = json.loads(json.dumps(trained._bundle.state))
    state["parameters"]["members"] = state["parameters"].pop("ensemble_size")
    assert saved_options(state, {"ensemble_size": 1})["extraction_mode"] == "line"
    with pytest.raises(DataError, match="trained with ensemble_size=1, but ensemble_size is 3"):
        saved_options(state, {"ensemble_size": 3})
    # Weights from a file are saved under a mark that is no parameter.
    state["parameters"]["frozen_weights"] = True
    assert saved_options(state, {})


def test_a_missing_model_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="Model directory not found") as caught:
        SkolClassifierV2(model_storage="disk", model_path=tmp_path / "none", auto_load_model=True)
    assert isinstance(caught.value, ModelNotFoundError)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hiden_size": 3}, TypeError, "Did you mean 'hidden_size'"),
        ({"extration_mode": "line"}, TypeError, "Did you mean 'extraction_mode'"),
        ({"model_storage": "disk"}, ValueError, "needs model_path"),
        ({"model_storage": "redis"}, ValueError, "needs redis_client and redis_key"),
        ({"extraction_mode": "lines"}, ValueError, "Did you mean 'line'"),
        ({"output_format": "label"}, ValueError, "Did you mean 'labels'"),
        ({"model_type": "logistic"}, ValueError, "model_type is 'logistic', but skol_rnn has only the network"),
        ({"weight_strategy": "inverse", "focal_labels": ["Nomenclature"]}, ValueError, "mutually exclusive"),
        ({"class_weights": {"a": 1.0}, "focal_labels": ["a"]}, ValueError, "exclu"),
        ({"section_filter": ["Key"]}, ValueError, 'section_filter needs extraction_mode="section"'),
        ({"input_source": "couchdb"}, ValueError, "needs your own function"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        SkolClassifierV2(**options)


@pytest.mark.parametrize(("name", "value"), [(name, "other") for name in WITHOUT_EFFECT if name != "model_type"])
def test_former_options_warn_once_unless_they_have_their_default(name, value):
    with pytest.warns(FutureWarning, match=f"ignores {name}") as caught:
        SkolClassifierV2(**{name: value})
    assert [Path(warning.filename).name for warning in caught] == ["test_classifier.py"]


def test_options_of_the_former_class_are_accepted_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = SkolClassifierV2(
            **WITHOUT_EFFECT,
            **dict.fromkeys(IGNORED, 3),
            couchdb_url="http://localhost:5984",
            window_size=15,
            class_weights={"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1},
        )
    assert classifier.couchdb_url == "http://localhost:5984" and classifier.couchdb_pattern == "*.txt"
    assert sorted(classifier.model_params) == ["class_weights", "window_size"]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_former_names_keep_their_effect():
    assert SkolClassifierV2(line_level=True).extraction_mode == "line"
    parameters = SkolClassifierV2(members=3, gamma=1.5, loss="focal").model_params
    assert 3 in (parameters.get("ensemble_size"), parameters.get("members"))


def test_former_line_level_warns():
    with pytest.warns(FutureWarning, match='renamed line_level=True to extraction_mode="line"') as caught:
        SkolClassifierV2(line_level=True)
    assert Path(caught[0].filename).name == "test_classifier.py"


def test_prediction_before_training_is_refused():
    classifier = SkolClassifierV2()  # without paths: they are needed when they are used
    for use in (classifier.predict, classifier.save_model, classifier.get_recommended_class_weights):
        with pytest.raises(NotTrainedError):
            use()
    with pytest.raises(ValueError, match="needs file_paths"):
        classifier.fit()


def test_an_unknown_label_in_the_weights_is_refused():
    with pytest.raises(ValueError, match="Nomenclatur.*Did you mean"):
        SkolClassifierV2(**OPTIONS, class_weights={"Nomenclatur": 3.0}).fit()


def test_couchdb_plugs_in(trained, monkeypatch):
    database = {"article.txt": "Genus nova\nPileus red\n"}
    monkeypatch.setitem(
        SOURCES, "couchdb", lambda c, labelled: [Document(name, text) for name, text in database.items()]
    )
    put = lambda c, name, text: database.update({name + c.output_couchdb_suffix: text})  # noqa: E731
    monkeypatch.setitem(DESTINATIONS, "couchdb", put)
    classifier = SkolClassifierV2(**stored(trained), input_source="couchdb", output_dest="couchdb")
    assert classifier.save_annotated(classifier.predict()) is None
    assert parse_yedda(database["article.txt.ann"]).text == database["article.txt"]
