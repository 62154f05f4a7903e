"""A model that is not signed with the key is refused by every command and every store, before anything is written."""

from __future__ import annotations

import inspect
import json
import shutil

import pytest
from commands import skol
from redis_server import PROGRAMS
from toy import LABELS, toy_table

from skol_rnn.classifier import SkolClassifierV2
from skol_rnn.cli import app
from skol_rnn.errors import BundleError
from skol_rnn.inference.predictor import load_serving
from skol_rnn.persistence.archive import npz_bytes, read_npz
from skol_rnn.persistence.bundle import Bundle, load_bundle, save_bundle
from skol_rnn.persistence.store import DiskStore, RedisStore

KEY = "a secret of more than sixteen bytes"
NAME = "skol:classifier:model:rnn_v1.0"


@pytest.fixture(scope="module")
def folder(tiny_bundle, tmp_path_factory):
    """Models: signed, with another key, without, and changed after signing; keys; and annotated documents."""
    folder = tmp_path_factory.mktemp("signatures")
    bundle = load_bundle(tiny_bundle)
    save_bundle(bundle, folder / "signed", sign=KEY)
    save_bundle(bundle, folder / "other.skol", sign=KEY + "x")
    save_bundle(bundle, folder / "plain.skol")
    save_bundle(Bundle(**{**vars(bundle), "card": "changed"}), folder / "changed")
    shutil.copy(folder / "signed" / "signature.txt", folder / "changed")
    (folder / "key").write_text(f"{KEY}\n")
    (folder / "texts").mkdir()
    for name, rows in toy_table(2).groupby("doc_id"):
        lines = [f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True)]
        (folder / "texts" / f"{name}.txt.ann").write_text("".join(lines))
    return folder


REFUSED = [
    ("other.skol", "is signed with another key, or was changed after it was signed."),
    ("plain.skol", "is not signed: only models signed with the key are loaded here."),
    ("changed", "is signed with another key, or was changed after it was signed."),
]
COMMANDS = {
    "predict": ["predict", "MODEL", "texts", "--out", "OUT", "--html", "OUT.pages"],
    "evaluate": ["evaluate", "MODEL", "texts"],
    "estimate": ["estimate", "MODEL", "texts"],
    "report": ["report", "MODEL", "texts", "--out", "OUT.html"],
    "compare first": ["compare", "MODEL", "signed", "texts", "--out", "OUT.html"],
    "compare second": ["compare", "signed", "MODEL", "texts", "--out", "OUT.html"],
    "info": ["info", "MODEL"],
}


def words_of(command, model, out):
    return [word.replace("MODEL", model).replace("OUT", str(out)) for word in COMMANDS[command]]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_refuse_what_the_key_has_not_signed(folder, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(folder)
    for model, sentence in REFUSED:
        # Documents are not looked for before the model is accepted.
        words = [word.replace("texts", "no texts") for word in words_of(command, model, tmp_path / "out")]
        assert skol(*words, "--verify-key", "key") == 3
        out, err = capsys.readouterr()
        assert (out, err) == ("", f"skol-rnn: {model} {sentence}\n")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run_models_that_the_key_has_signed(folder, tmp_path, monkeypatch, command):
    monkeypatch.chdir(folder)
    assert skol(*words_of(command, "signed", tmp_path / "out"), "--verify-key", "key") == 0
    written = {"predict": 2, "report": 1, "compare first": 1, "compare second": 1}
    assert len(list(tmp_path.iterdir())) == written.get(command, 0)


def test_every_command_that_takes_a_model_can_verify_it():
    read = {
        name.replace("-", "_"): set(inspect.signature(app.command_of(name)).parameters)
        for name in app.COMMANDS
        if name != "review"
    }
    takes = {name for name, given in read.items() if given & {"model", "first"}}
    assert takes >= {words[0] for words in COMMANDS.values()}
    assert [name for name in sorted(takes) if "verify_key" not in read[name]] == []


@pytest.mark.parametrize("command", ["train", *COMMANDS])
@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "The key none cannot be read (No such file or directory)."), (b"short\n", "at least 16 bytes long.")],
)
def test_a_key_that_is_none_is_said_before_any_work(folder, tmp_path, monkeypatch, capsys, command, content, said):
    monkeypatch.chdir(folder)
    key = "none" if content is None else str(tmp_path / "key")
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    out = tmp_path / "written" / "out"
    train = ["train", "texts", "--out", out, "--preset", "instant", "--sign-key", key]
    words = train if command == "train" else [*words_of(command, "signed", out), "--verify-key", key]
    assert skol(*words) in (2, 3)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("out", ["model", "model.skol"])
def test_train_signs_what_it_saves(folder, tmp_path, out, capsys):
    words = ["train", folder / "texts", "--out", tmp_path / out, "--preset", "instant"]
    assert skol(*words, "--sign-key", folder / "key") == 0
    assert load_bundle(tmp_path / out, verify=KEY).state["parameters"]["preset"] == "instant"
    for verify in (folder / "key", None):
        assert skol("predict", tmp_path / out, folder / "texts", "--out", tmp_path / f"labelled {verify is None}",
                    *(["--verify-key", verify] if verify else [])) == 0  # fmt: skip
    # Trained again without the key, the model is refused: the older signature is gone.
    assert skol(*words) == 0
    capsys.readouterr()
    assert skol("info", tmp_path / out, "--verify-key", folder / "key") == 3
    assert "is not signed" in capsys.readouterr().err


def test_a_resumed_training_is_signed_too(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "texts", tmp_path / "texts")
    shutil.copy(folder / "key", tmp_path / "key")
    monkeypatch.chdir(tmp_path)
    words = [
        "train",
        "texts",
        "--out",
        "model",
        "--checkpoint",
        "run.npz",
        "--sign-key",
        "key",
        "--preset",
        "fast",
        "--window-size",
        8,
        "--stride",
        8,
    ]
    words += ["--epochs", 1, "--min-updates", 0, "--hidden-size", 4, "--line-size", 4, "--input-size", 4]
    assert skol(*words) == 0
    shutil.rmtree("model")
    assert skol("resume", "run.npz") == 0
    assert load_bundle("model", verify=KEY).network
    assert KEY not in (tmp_path / "run.npz.command").read_text()


@pytest.fixture(params=["disk", *PROGRAMS])
def store(request, start_redis, tmp_path):
    """A store, and the options that a classifier needs to use it."""
    if request.param == "disk":
        return DiskStore(tmp_path / "rnn"), {"model_storage": "disk", "model_path": tmp_path / "rnn"}
    client = start_redis(request.param).client()
    return RedisStore(client, NAME), {"model_storage": "redis", "redis_client": client, "redis_key": NAME}


def test_a_shared_store_gives_back_only_what_the_key_has_signed(folder, store):
    store, options = store
    plain = load_bundle(folder / "plain.skol")
    first = store.save(plain.to_bytes(KEY)).id
    signer = SkolClassifierV2(**options, model_key=KEY, auto_load_model=True)
    again = signer.save_model().id
    assert load_serving(store.load(again), verify=KEY).labels == load_serving(folder / "plain.skol").labels
    arrays = dict(read_npz(npz_bytes(plain.decision)))
    changed = Bundle(**{**vars(plain), "decision": {**arrays, "offsets": arrays["offsets"] + 1}})
    for blob, said in (
        (plain.to_bytes(), "the stored model is not signed"),
        (plain.to_bytes(KEY + "x"), "signed with another key, or was changed"),
        (changed.to_bytes(KEY + "x"), "signed with another key, or was changed"),
    ):
        # Whoever can write to the store makes its checksums right.
        version = store.save(blob).id
        SkolClassifierV2(**options, auto_load_model=True)
        for how in ({"auto_load_model": True}, {}):
            with pytest.raises(BundleError, match=said):
                SkolClassifierV2(**options, model_key=KEY.encode(), **how).load_model()
        with pytest.raises(BundleError, match=said):
            SkolClassifierV2(**options, model_key=KEY).load_model(version)
        # What was loaded before stays.
        with pytest.raises(BundleError, match=said):
            signer.load_model()
        assert signer.model.labels == sorted(LABELS)
        SkolClassifierV2(**options, model_key=KEY).load_model(first)
        assert store.rollback(again).id == again
        SkolClassifierV2(**options, model_key=KEY, auto_load_model=True)


def test_info_shows_a_signed_model_as_any_other(folder, capsys):
    found = []
    for words in ((folder / "signed",), (folder / "signed", "--verify-key", folder / "key")):
        assert skol("info", *words, "--json") == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
