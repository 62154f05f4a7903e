"""A foreign model is refused in a sentence or works: it reads no file, runs no operator of its own, takes no more memory."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from toy import QUICK, SMALL, toy_table, toy_tokens

from skol_rnn import RNNSkolModel
from skol_rnn.classifier import SkolClassifierV2
from skol_rnn.cli.app import run
from skol_rnn.data.table import shared_columns
from skol_rnn.errors import BundleError, DataError
from skol_rnn.inference.array_schema import check_model
from skol_rnn.inference.predictor import ServingModel, load_serving
from skol_rnn.inference.second_pass import SecondPass
from skol_rnn.persistence.archive import npz_bytes, read_npz
from skol_rnn.persistence.bundle import Bundle, load_bundle, load_bytes, save_bundle
from skol_rnn.persistence.store import DiskStore

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "faults.py"
SPEC = importlib.util.spec_from_file_location("faults_benchmark", PATH)
FAULTS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(FAULTS)
KEY = "a secret of more than sixteen bytes"
EXTERNAL = onnx.TensorProto.EXTERNAL
EARLIER = Path(__file__).resolve().parents[1] / "network" / "trained" / "lines_tensorflow.skol"
"""A model whose graph holds its bags, as earlier versions saved it."""


@pytest.fixture(scope="module")
def files(tiny_bundle):
    return FAULTS.parts_of(load_bytes(tiny_bundle))


def with_state(files, change):
    state = json.loads(files["model.json"])
    change(state)
    return FAULTS.signed({**files, "model.json": json.dumps(state).encode()})


def with_array(files, part, name, change):
    arrays = dict(read_npz(files[part]))
    arrays[name] = change(arrays[name])
    return FAULTS.signed({**files, part: npz_bytes(arrays)})


def with_graph(files, change):
    model = onnx.load_from_string(files["network.onnx"])
    change(model.graph)
    return FAULTS.signed({**files, "network.onnx": model.SerializeToString()})


def refused(blob, *words):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError) as error:
        load_serving(blob).predict_proba(FAULTS.LINES)
    message = str(error.value)
    assert message.isprintable() and len(message) < 1000
    assert all(word in message for word in words), message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # kB


@pytest.mark.parametrize("cases", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_damaged_and_hostile_models_are_refused_in_a_sentence_or_work(files, tiny_bundle, tmp_path, cases):
    expected, blob = FAULTS.by_serving(tiny_bundle), FAULTS.zipped(files)
    path = tmp_path / "model.skol"
    for number in range(cases):
        rng = random.Random(number)
        attack = number % 3 > 0
        name, data = FAULTS.hostile(files, rng) if attack else FAULTS.damaged(blob, rng)
        path.write_bytes(data)
        found = FAULTS.outcome(FAULTS.LOADERS[rng.choice(("serving", "store", "folder", "info"))], path, expected)
        assert found in (FAULTS.GOOD if attack else FAULTS.GOOD[:2]), f"{number} {name}: {found}"


@pytest.mark.parametrize("place", ["/etc/passwd", "../secret", "link", "model.json", "*/_ORT_MEM_ADDR_/*"])
@pytest.mark.parametrize("constant", ["embeddings", "bias"])
def test_a_graph_reads_no_file_and_no_memory(files, place, constant):
    def change(graph):
        tensor = next(one for one in graph.initializer if one.name.endswith(constant) and "bilstm" not in one.name)
        tensor.ClearField("raw_data")
        tensor.ClearField("external_data")
        tensor.data_location = EXTERNAL
        for key, value in (("location", place), ("offset", "0"), ("length", str(4 * int(np.prod(tensor.dims))))):
            tensor.external_data.add(key=key, value=value)

    model = FAULTS.parts_of(load_bytes(EARLIER)) if constant == "embeddings" else files
    refused(with_graph(model, change), "ONNX Runtime", place)


def a_loop(graph):
    body = helper.make_graph([], "body", [], [])
    graph.node.append(helper.make_node("Loop", ["", ""], ["z"], body=body))


def doubling(graph):
    names = ["numbers", *(f"z{i}" for i in range(20))]
    for one, two in zip(names, names[1:], strict=False):
        graph.node.append(helper.make_node("Concat", [one, one], [two], axis=-1))


def not_finite(graph):
    tensor = next(one for one in graph.initializer if one.name.endswith("logits/bias"))
    tensor.raw_data = np.full(3, np.nan, np.float32).tobytes()


def wider_bags(graph):
    bags = next(one for one in graph.input if one.name == "bags")
    bags.type.tensor_type.shape.dim[1].dim_value += 1


def larger(graph):
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1_000_000, np.float32), "more"))


def foreign_operator(graph):
    graph.node.append(helper.make_node("Own", ["numbers"], ["z"], domain="own"))


@pytest.mark.parametrize("change", [a_loop, doubling, not_finite, wider_bags, larger, foreign_operator])
def test_a_graph_has_only_what_the_export_writes(files, change):
    refused(with_graph(files, change), "none that skol_rnn writes")


def test_logits_that_are_not_finite_are_said(tiny_bundle):
    class Overflowing:
        n_labels = 3

        def logits(self, features, lines):
            return np.full((*lines.shape, 3), np.nan, np.float32)

    predictor = replace(load_serving(tiny_bundle).predictor, runner=Overflowing())
    with pytest.raises(BundleError, match="not finite"):
        predictor.probabilities(shared_columns(FAULTS.LINES))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("parameters", "window_size"), 10**9),
        (("parameters", "prediction_window_size"), -5),
        (("parameters", "prediction_stride"), 0),
        (("parameters", "prediction_batch_size"), True),
        (("network", "ensemble_size"), 10**6),
        (("network", "vocabulary_size"), 10**6),
        (("network", "hidden_size"), 7),
        (("network", "num_layers"), 10**30),
        (("network", "seed"), 0.5),
        (("network", "other"), 1),
        (("labels",), ["a", "b", 3]),
        (("labels",), ["a", "a", "b"]),
        (("labels",), ["a", "b"]),
        (("name",), None),
        (("features", "name"), "own"),
        (("features", "settings", "slots"), 10**9),
        (("history",), {"loss": ["\x1b]0;x\x07"]}),
        (("class_weights", "counts"), [1]),
        (("card", "scores"), 1),
    ],
)
def test_a_value_outside_of_its_range_is_named(files, path, value):
    def change(state):
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = value

    refused(
        with_state(files, change), "model.json" if path[-1] not in ("vocabulary_size", "hidden_size") else "network"
    )


@pytest.mark.parametrize(
    ("part", "name", "change"),
    [
        ("decision.npz", "offsets", lambda a: a * np.nan),
        ("decision.npz", "counts", lambda a: a - 1000),
        ("decision.npz", "prior", lambda a: a * 0),
        ("decision.npz", "step", lambda a: a[:1]),
        ("features.npz", "buckets", lambda a: a[::-1]),
        ("features.npz", "buckets", lambda a: a[:-1]),
        ("features.npz", "buckets", lambda a: a + (1 << 24)),
        ("features.npz", "scale", lambda a: a * 0),
        ("features.npz", "mean", lambda a: a[:3]),
        ("features.npz", "linear/words", lambda a: a[:5]),
        ("network.npz", "logits/kernel", lambda a: a.astype(np.float64)),
        ("network.npz", "logits/kernel", lambda a: a + np.inf),
        ("network.npz", "bag/embeddings", lambda a: a[:-1]),
    ],
)
def test_an_array_that_does_not_fit_is_named(files, part, name, change):
    refused(with_array(files, part, name, change), part)


def manifest_with(files, key, value):
    manifest = json.loads(files["manifest.json"])
    return FAULTS.zipped({**files, "manifest.json": json.dumps(manifest | {key: value}).encode()})


@pytest.mark.parametrize("version", [True, -1, 0, 1.0, None])
def test_the_version_of_the_format_is_a_number(files, version):
    refused(manifest_with(files, "format_version", version), "format_version")


def test_a_graph_under_another_name_is_no_reason_to_predict_with_keras(files):
    sums = json.loads(files["manifest.json"])["files"]
    renamed = {("Network.onnx" if name == "network.onnx" else name): one for name, one in sums.items()}
    refused(manifest_with(files, "files", renamed), "Network.onnx")
    refused(
        manifest_with(files, "files", {name: one for name, one in sums.items() if name != "network.onnx"}),
        "network.onnx",
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_refused_before_it_is_unpacked(files, method):
    refused(FAULTS.signed({**files, "network.npz": FAULTS.bomb()}), "network.npz", "unpacks to more")
    refused(FAULTS.zipped({**files, "network.npz": bytes(20 << 20)}, method))


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 90 + b"1" + b"}" * 90,
        b'{"a": 1' + b"0" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b"[1]",
        b"\xff",
    ],
)
@pytest.mark.parametrize("part", ["model.json", "manifest.json"])
def test_json_that_is_deep_huge_or_no_text_is_refused(files, text, part):
    changed = {**files, part: text}
    refused(FAULTS.signed(changed) if part == "model.json" else FAULTS.zipped(changed), part)


def test_what_is_twice_in_an_archive_or_a_header_of_objects_is_refused(files):
    buffer = io.BytesIO(FAULTS.zipped(files))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("model.json", files["model.json"])
    refused(buffer.getvalue(), "twice")
    for header in ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", "__import__('os').system('x')\n"):
        bad = FAULTS.zipped({"w.npy": FAULTS.npy(header, bytes(8))})
        refused(FAULTS.signed({**files, "network.npz": bad}), "network.npz")


def test_an_encrypted_archive_is_refused(files):
    data = bytearray(FAULTS.zipped(files))
    for signature, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        place = data.find(signature)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(signature, place + 4)
    refused(bytes(data), "is encrypted")


def test_a_link_in_a_folder_shows_nothing_of_the_file(tiny_bundle, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bundle, folder)
    (tmp_path / "secret").write_text('{"a secret": 1}')
    (folder / "model.json").unlink()
    (folder / "model.json").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match="checksum is wrong") as error:
        load_bundle(folder)
    assert "a secret" not in str(error.value)


def test_every_error_of_a_foreign_model_is_a_bundle_error_with_keras_too(files, tmp_path):
    arrays = dict(read_npz(files["network.npz"]))
    arrays["another name"] = arrays.pop("logits/bias")
    (tmp_path / "m.skol").write_bytes(FAULTS.signed({**files, "network.npz": npz_bytes(arrays)}))
    with pytest.raises(BundleError, match="logits/bias"):
        RNNSkolModel().load(tmp_path / "m.skol")
    (tmp_path / "m.skol").write_bytes(with_state(files, lambda state: state["parameters"].update(own=1)))
    with pytest.raises(BundleError, match="own"):
        RNNSkolModel().load(tmp_path / "m.skol")


def test_models_of_the_first_version_fit_the_schema(tiny_bundle):
    bundle = load_bundle(tiny_bundle)
    former = {"ensemble_size": "members", "char_slots": "characters", "context_slots": "beside"}
    former["context_vocabulary_size"] = "beside_vocabulary_size"
    state = {name: value for name, value in bundle.state.items() if name not in ("card", "not_given")}
    state["network"] = {former.get(name, name): value for name, value in bundle.state["network"].items()}
    del state["network"]["linear_part"]
    del state["parameters"]["prediction_window_size"]
    check_model(
        Bundle(
            state,
            bundle.network,
            {name: array for name, array in bundle.features.items() if not name.startswith("linear/")},
            {name: array for name, array in bundle.decision.items() if name != "tuned"},
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("features", ["hashed", "ngrams", "word2vec", "fasttext"])
def test_models_of_tokens_keep_their_graph_and_fit_the_schema(features):
    settings = {**SMALL, **QUICK, "unit": "token", "features": features, "epochs": 1}
    bundle = RNNSkolModel(**settings).fit(toy_tokens(4, 10)).bundle()
    assert bundle.graph is not None
    check_model(Bundle.from_bytes(bundle.to_bytes()))


@pytest.mark.parametrize("unit", ["line", "token"])
def test_models_without_a_network_fit_the_schema(unit):
    table = toy_table() if unit == "line" else toy_tokens()
    bundle = RNNSkolModel(preset="instant", unit=unit, verbosity=0).fit(table).bundle()
    check_model(Bundle.from_bytes(bundle.to_bytes()))
    words = bundle.features["linear/words"]
    with pytest.raises(BundleError, match="linear/words"):
        check_model(replace(bundle, features=bundle.features | {"linear/words": words[:5]}))


def test_the_transitions_of_a_chain_are_checked():
    bundle = RNNSkolModel(preset="instant", unit="token", verbosity=0).fit(toy_tokens()).bundle()
    transitions, words = bundle.features["linear/transitions"], bundle.features["linear/words"]
    for changed in ({"linear/transitions": transitions[1:]}, {"linear/transitions": transitions * np.nan}):
        with pytest.raises(BundleError, match="linear/transitions"):
            check_model(replace(bundle, features=bundle.features | changed))
    extreme = bundle.features | {"linear/transitions": transitions * 1e6, "linear/words": words * 1e6}
    found = ServingModel(replace(bundle, features=extreme)).predict_proba(toy_tokens(1))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_second_pass_fits_the_schema_or_is_refused(tiny_bundle):
    rng = np.random.default_rng(0)
    sources, true = [rng.dirichlet(np.ones(3), 900) for _ in range(2)], rng.integers(0, 3, 900)
    arrays = SecondPass.fit(sources, true.astype(np.int32), [300] * 3, 0).arrays()
    bundle = load_bundle(tiny_bundle)
    check_model(replace(bundle, features=bundle.features | arrays))
    leaf = arrays["second/leaf"]
    changes = {
        "column": arrays["second/column"] + 10_000,
        "label": arrays["second/label"] + 3,
        "reference": np.array(3),
        "leaf": np.zeros((len(leaf), 60), np.float32),
        "threshold": arrays["second/threshold"] * np.nan,
    }
    for name, array in changes.items():
        with pytest.raises(BundleError, match="second/"):
            check_model(replace(bundle, features=bundle.features | arrays | {f"second/{name}": array}))


def test_the_runtime_is_imported_without_telemetry():
    code = "from skol_rnn.features.runtime import import_runtime as i; i(); import os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for given, expected in ((None, "1"), ("0", "0")):
        environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
        environment |= {} if given is None else {"ORT_DISABLE_TELEMETRY": given}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.strip() == expected


# Signatures


@pytest.fixture(scope="module")
def signed_model(tiny_bundle, tmp_path_factory):
    return save_bundle(load_bundle(tiny_bundle), tmp_path_factory.mktemp("signed") / "model", sign=KEY)


def test_a_signed_model_is_accepted_with_its_key_and_without_one(signed_model, tiny_bundle):
    expected = load_serving(tiny_bundle).predict_proba(FAULTS.LINES)
    for verify in (KEY, KEY.encode(), None):
        np.testing.assert_array_equal(load_serving(signed_model, verify=verify).predict_proba(FAULTS.LINES), expected)
    np.testing.assert_array_equal(
        load_serving(load_bytes(signed_model), verify=KEY).predict_proba(FAULTS.LINES), expected
    )


def test_another_key_no_signature_or_a_changed_model_is_refused(signed_model, tiny_bundle, tmp_path):
    with pytest.raises(BundleError, match="signed with another key"):
        load_bundle(signed_model, verify=KEY + "x")
    with pytest.raises(BundleError, match="is not signed"):
        load_bundle(tiny_bundle, verify=KEY)
    files = FAULTS.parts_of(load_bytes(signed_model))
    changed = with_array(files, "decision.npz", "offsets", lambda a: a + 1)  # with right checksums
    with pytest.raises(BundleError, match="was changed"):
        Bundle.from_bytes(changed, verify=KEY)
    for key in ("short", 5):
        with pytest.raises(ValueError, match="at least 16 bytes"):
            save_bundle(load_bundle(tiny_bundle), tmp_path / "m", sign=key)
    assert not (tmp_path / "m").exists()


def test_stores_keep_signatures(signed_model, tmp_path):
    store = DiskStore(tmp_path / "store")
    store.save(load_bytes(signed_model))
    assert Bundle.from_bytes(store.load(), verify=KEY).state
    assert Bundle.from_bytes(DiskStore(signed_model).load(), verify=KEY).state
    given = {"spark": None, "model_storage": "disk", "model_path": tmp_path / "store"}
    signer = SkolClassifierV2(**given, model_key=KEY).load_model()
    signer.save_model()
    SkolClassifierV2(**given, model_key=KEY).load_model()
    with pytest.raises(BundleError, match="another key"):
        SkolClassifierV2(**given, model_key=KEY + "x").load_model()


def test_commands_verify_signatures(signed_model, tiny_bundle, tmp_path, capsys):
    (tmp_path / "key").write_text(KEY + "\n")
    for model, code in ((signed_model, 0), (tiny_bundle, 3)):
        with pytest.raises(SystemExit) as stop:
            run(["info", str(model), "--verify-key", str(tmp_path / "key"), "--json"])
        assert stop.value.code == code
    assert "is not signed" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        run(["info", str(tiny_bundle), "--verify-key", str(tmp_path / "none")])
    assert stop.value.code == 3


# Tables


def test_a_parquet_file_of_packed_rows_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from skol_rnn import read_documents

    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3_000_000, np.int8)), pa.array(["x"]))
    pq.write_table(pa.table({"value": rows}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    with pytest.raises(DataError, match="too many for its size"):
        read_documents([str(tmp_path / "a.parquet")])


# Scanners


@pytest.mark.slow
@pytest.mark.parametrize("scanner", ["modelscan", "modelaudit"])
def test_scanners_of_models_find_nothing(tiny_bundle, tmp_path, scanner):
    program = shutil.which(scanner)
    if program is None:
        pytest.skip(f"{scanner} is not installed; it needs an environment of its own, see docs/reliability_models.md")
    environment = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    words = {
        "modelscan": ["-p", tiny_bundle, "-r", "json", "-o"],
        "modelaudit": ["scan", tiny_bundle, "--format", "json", "-o"],
    }
    out = tmp_path / "out.json"
    subprocess.run([program, *map(str, words[scanner]), str(out)], env=environment, capture_output=True, check=False)
    found = json.loads(out.read_text())
    if scanner == "modelscan":
        assert found["summary"]["total_issues"] == 0 and not found["errors"]
        assert found["summary"]["scanned"]["total_scanned"] >= 20
    else:
        assert [one for one in found["issues"] if one["severity"] not in ("info", "debug")] == []
