"""``preset="instant"``: a linear model alone, through every entry point, without TensorFlow."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from toy import BIO_LABELS, LABELS, QUICK, SMALL, as_documents, toy_table, toy_tokens

from skol_rnn import RNNSkolModel, load_model, load_serving
from skol_rnn.cli.app import run
from skol_rnn.errors import BundleError, DataError
from skol_rnn.persistence.bundle import load_bundle
from skol_rnn.training.settings import OF_NETWORK

INSTANT = {"preset": "instant", "verbosity": 0, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    return toy_table()


@pytest.fixture(scope="module")
def model(table):
    return RNNSkolModel(**INSTANT, validation_fraction=0.2).fit(table)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return model.save(tmp_path_factory.mktemp("instant") / "m.skol")


@pytest.fixture(scope="module")
def corpus(table, tmp_path_factory):
    """Return a folder of annotated documents."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, rows in table.groupby("doc_id"):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True))
        (folder / f"{name}.txt.ann").write_text(text, encoding="utf-8")
    return folder


def fresh(code, *words):
    """Run code in a fresh interpreter and return what it prints last: a JSON value."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


EVERY_ENTRY = """
import contextlib, io, json, sys
from pathlib import Path
from skol_rnn import RNNSkolModel, batch_evaluate, load_model, load_serving, SkolClassifierV2
from skol_rnn.cli.app import run
from toy import toy_table

corpus, new = map(Path, sys.argv[1:])
loaded = {}

def check(step):
    loaded[step] = [name for name in ("tensorflow", "keras", "onnxruntime", "onnx") if name in sys.modules]

def command(*words):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        run([str(word) for word in words])
    check(words[0])

model = RNNSkolModel(preset="instant", verbosity=0, validation_fraction=0.2)
check("import")
model.fit(toy_table(), validation=toy_table(2, seed=1), callback=lambda *_: None)
model.save(new / "m")
for loading in (load_model, load_serving):
    loading(new / "m").predict(toy_table())
model.evaluate(toy_table())
check("python")
with contextlib.redirect_stdout(io.StringIO()):
    SkolClassifierV2(
        spark=None, input_source="files", file_paths=[str(path) for path in corpus.iterdir()], model_storage=None,
        collapse_labels=False, extraction_mode="line", preset="instant", verbosity=0, model_type="rnn",
    ).fit()
check("classifier")
command("train", corpus, "--out", new / "c", "--preset", "instant", "--validation-fraction", "0.3")
assert (new / "c").is_dir()
command("info", new / "c")
command("predict", new / "c", corpus, "--out", new / "predicted")
assert list((new / "predicted").iterdir())
command("evaluate", new / "c", corpus, "--html", new / "e.html")
command("report", new / "c", corpus, "--out", new / "r.html")
command("compare", new / "c", new / "m", corpus, "--out", new / "compared.html")
assert (new / "r.html").exists() and (new / "e.html").exists() and (new / "compared.html").exists()
print(json.dumps(loaded))
"""


def test_no_entry_point_loads_tensorflow_or_a_runtime_of_graphs(tmp_path, corpus):
    loaded = fresh(EVERY_ENTRY, corpus, tmp_path)
    assert set(loaded) >= {
        "import",
        "python",
        "classifier",
        "train",
        "predict",
        "evaluate",
        "report",
        "info",
        "compare",
    }
    assert not any(loaded.values()), loaded


def test_it_learns_and_predicts_as_other_models_do(model, table):
    unseen = toy_table(seed=3)
    assert model.evaluate(unseen).important_f1 > 0.95
    probabilities = model.predict_proba(unseen)
    assert probabilities.shape == (len(unseen), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    documents, labels = as_documents(unseen)
    assert [list(part) for part in model.predict(documents)][0] == labels[0]
    assert model.decided_by == "tuned" and model.validation_documents_
    assert model.card_["split"]["refit"] and model.counts_.sum() == len(table)
    assert model.history_ == {} and "epochs=0" in repr(model.history_)


def test_without_a_validation_set_offsets_follow_from_the_counts(table):
    model = RNNSkolModel(**INSTANT).fit(table)
    assert not model.validation_documents_ and model.offsets_.any() and not model.card_["split"]["refit"]


def test_saving_and_loading_change_nothing(model, saved, table):
    bundle = load_bundle(saved)
    assert bundle.state["network"] is None and not bundle.network and bundle.graph is None
    again, serving = load_model(saved), load_serving(saved)
    assert serving.backend == "numpy"
    for other in (again, serving, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(table), model.predict_proba(table))
    assert again.get_params() == model.get_params() and again.settings_["epochs"] == 0
    np.testing.assert_array_equal(clone(again).fit(table).predict_proba(table), model.predict_proba(table))


@pytest.mark.parametrize("backend", ["keras", "onnx"])
def test_there_is_no_network_to_run(model, saved, backend, tmp_path, corpus, capsys):
    with pytest.raises(BundleError, match=f'has no network: leave out backend="{backend}"'):
        load_serving(saved, backend)
    with pytest.raises(SystemExit) as stop:
        run(["predict", str(saved), str(corpus), "--out", str(tmp_path / "o"), "--backend", backend])
    assert stop.value.code == 3 and f"leave out --backend {backend}." in capsys.readouterr().err
    with pytest.raises(AttributeError, match='preset="instant" trains a linear model'):
        model.keras_model  # noqa: B018


VALUES = {"loss": "focal", "focal_labels": ["Misc"], "dropout": 0.1, "feature_dropout": 0.1, "learning_rate": 0.1}
REFUSED = [*((name, VALUES.get(name, 3)) for name in OF_NETWORK if name != "linear_share"), ("linear_share", 0.5)]


@pytest.mark.parametrize(("name", "value"), [*REFUSED, ("sampling", "rare_windows")])
def test_what_only_a_network_has_is_refused(name, value, table):
    with pytest.raises(ValueError, match=rf'^{name}=.* has no effect with preset="instant".*: leave it out\.$'):
        RNNSkolModel(**INSTANT, **{name: value}).fit(table)


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({"epochs": 3, "hidden_size": 8}, {}, "epochs=3 and hidden_size=8 have no effect .*: leave them out"),
        ({"features": "tfidf"}, {}, 'preset="instant" needs features="hashed", not \'tfidf\''),
        ({"unit": "token", "features": "characters"}, {}, "needs features=\"hashed\", not 'characters'"),
        ({"validation_fraction": 2}, {}, "validation_fraction must be at least 0"),
        ({}, {"checkpoint": "x.npz"}, 'checkpoint has no effect with preset="instant"'),
    ],
)
def test_what_has_no_effect_is_named(parameters, arguments, message, table):
    with pytest.raises(ValueError, match=message):
        RNNSkolModel(**INSTANT, **parameters).fit(table, **arguments)


def test_callbacks_of_keras_are_refused_and_functions_are_called_once(table):
    import keras

    with pytest.raises(ValueError, match="callbacks have no effect"):
        RNNSkolModel(**INSTANT).fit(table, callbacks=[keras.callbacks.Callback()])
    called = []
    RNNSkolModel(**INSTANT).fit(table, validation=toy_table(2, seed=1), callback=lambda *given: called.append(given))
    ((number, scores),) = called
    assert number == 1 and scores.important_f1 > 0.9


def test_a_command_names_options_and_writes_nothing(tmp_path, corpus, capsys):
    for words, sentence in [
        (["--epochs", "3"], "--epochs 3 has no effect with --preset instant"),
        (["--checkpoint", str(tmp_path / "x.npz")], "--checkpoint has no effect with --preset instant"),
    ]:
        with pytest.raises(SystemExit) as stop:
            run(["train", str(corpus), "--out", str(tmp_path / "m"), "--preset", "instant", *words])
        assert stop.value.code == 2 and sentence in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_class_weights_shift_what_argmax_sees_and_the_posterior_undoes_them(table):
    plain = RNNSkolModel(**INSTANT).fit(table)
    weighted = RNNSkolModel(**INSTANT, class_weights={"Nomenclature": 3.0}).fit(table)
    np.testing.assert_allclose(weighted.predict_proba(table), plain.predict_proba(table), atol=1e-9)
    raw, posterior = (weighted.predict_proba(table, raw=raw) for raw in (True, False))
    nomenclature = weighted.labels_.index("Nomenclature")
    odds = [p[:, nomenclature] / p[:, weighted.labels_.index("Misc")] for p in (raw, posterior)]
    np.testing.assert_allclose(odds[0] / odds[1], 3.0, rtol=1e-6)


def test_one_label_is_not_enough():
    with pytest.raises(DataError, match="All training lines have the label 'A': annotate"):
        RNNSkolModel(**INSTANT).fit([["x", "y"]], [["A", "A"]], labels=_labels())


def _labels():
    from skol_rnn import LabelSet

    return LabelSet(("A", "B"))


def test_findings_advise_nothing_that_is_refused(model, table):
    from skol_rnn import evaluate_labels
    from skol_rnn.evaluation.findings import diagnose

    labels = _labels()
    true = np.array([0] * 30 + [1] * 300)
    scores = evaluate_labels(true, np.ones_like(true), labels)
    advice = {how: str(diagnose(labels=labels, evaluation=scores, epochs=how)) for how in (True, False)}
    assert "epochs=" in advice[True] and "epochs=" not in advice[False] and "annotate" in advice[False]
    assert "epochs=" not in str(model.diagnose(scores_of_one_class(model, table)))


def scores_of_one_class(model, table):
    from skol_rnn import LabelSet, evaluate_labels

    labels = LabelSet(tuple(model.labels_))
    return evaluate_labels(labels.encode(table["label"]), np.full(len(table), labels.index("Misc")), labels)


def test_tokens_have_a_linear_model_of_their_context(tmp_path):
    model = RNNSkolModel(**INSTANT, unit="token").fit(toy_tokens(), labels=BIO_LABELS)
    unseen = toy_tokens(4, seed=5)
    scores = model.evaluate(unseen)
    assert scores.fragment_f1 > 0.8
    again = load_serving(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(again.predict_proba(unseen), model.predict_proba(unseen))


def test_the_card_and_info_speak_of_a_linear_model(saved, model, capsys):
    card = load_bundle(saved).card
    assert "It is a linear model of words and their neighbours on hashed features" in card
    assert "bidirectional" not in card and "bilstm" not in card and "keras" not in card.split("\n---\n")[0]
    assert "hidden_size" not in model.card_["settings"] and "tensorflow" not in model.card_["versions"]
    with pytest.raises(SystemExit):
        run(["info", str(saved)])
    assert "linear model of" in (out := capsys.readouterr().out) and "runs on NumPy" in out and "epoch" not in out


@pytest.mark.slow
def test_a_batch_and_a_search_take_it(batch_data, table, tmp_path):
    from skol_rnn import batch_evaluate, tune_class_weights

    result = batch_evaluate(
        {"settings": {"instant": {"preset": "instant"}}, "data": {"near": batch_data["near"]}, "seeds": [0]},
        tmp_path / "batch",
        jobs=1,
    )
    assert not result.failed and result.table["important_f1"].iloc[0] > 0.9
    pytest.importorskip("optuna")
    search = {"n_trials": 2, "folds": 2, "settings": {"preset": "instant"}}
    found = tune_class_weights(table, **search, search=["alpha"])
    assert len(found.trials) == 2 and found.score > 0.9
    with pytest.raises(ValueError, match='search has "loss", which has no effect with preset="instant"'):
        tune_class_weights(table, **search)


@pytest.mark.slow
def test_another_preset_can_follow_in_the_same_model(model, saved, table):
    again = load_model(saved).set_params(preset="default", epochs=1, **{**SMALL, **QUICK})
    assert again.fit(table, labels=LABELS).keras_model is not None
    assert Path(again.card_["versions"]["keras"]).name
