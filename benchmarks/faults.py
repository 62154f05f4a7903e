"""Attack the loaders of saved models: damaged bundles, and hostile ones whose checksums are right.

Prints what was tried and what came of it; exits with 1 if anything but a sentence or an equal model came out.

    python benchmarks/faults.py MODEL --bundles 2000 --hostile 500
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import io
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

LIMIT_MB = 300
"""Memory that one case may add; TensorFlow alone takes 600 MB, once."""
SECONDS = 120
"""A load that takes longer hangs.  TensorFlow alone takes a while on a busy machine, before anything is measured."""
_START = 600
LINES = {"doc_id": ["a"] * 4, "value": ["Agaricus albus L.", "pileus 3 mm broad", "the authors", "Genus1 species1"]}
GOOD = ("refused in a sentence", "loaded, equal", "loaded, other predictions")


def parts_of(blob):
    """Return the files of a bundle."""
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def signed(files):
    """Return the files as one zip whose manifest has the right checksums."""
    manifest = json.loads(files["manifest.json"])
    for name in manifest["files"]:
        if name in files:
            manifest["files"][name] = {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
    return zipped({**files, "manifest.json": json.dumps(manifest).encode()})


def zipped(files, method=zipfile.ZIP_STORED):
    """Return files as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


# Damage: the checksums are those of the bundle before it.


def damaged(blob, rng):
    """Return the name of a damage, and the bundle with it."""
    data = bytearray(blob)
    start = rng.randrange(len(data))
    size = min(int(10 ** rng.uniform(0, 4)), len(data) - start)
    match rng.choice(("a byte changed", "cut off", "a part lost", "a part doubled", "zeros", "noise", "the end moved")):
        case "a byte changed" as name:
            data[start] ^= rng.randrange(1, 256)
        case "cut off" as name:
            del data[start:]
        case "a part lost" as name:
            del data[start : start + size]
        case "a part doubled" as name:
            data[start:start] = data[start : start + size]
        case "zeros" as name:
            data[start : start + size] = bytes(size)
        case "noise" as name:
            data[start : start + size] = rng.randbytes(size)
        case name:  # the directory of the zip, at its end
            place = len(data) - rng.randrange(1, min(800, len(data)))
            data[place] = rng.randrange(256)
    return name, bytes(data)


# Hostile values: everything has the right checksum.

NASTY = (
    *(-1, 0, 1, 2, 10**9, 2**31, 2**63, 2**70, 10**30, 1e308, -1e308, 0.5, float("nan"), float("inf"), float("-inf")),
    *(True, False, None, "", "x", "\x1b]0;owned\x07", "[red]x[/]", "../../etc/passwd", "a" * 100_000),
    *([], [[]], {}, {"a": {}}, [None], [1, "a"], [float("nan")] * 3),
)


def changed_state(state, rng):
    """Return a ``model.json`` with a value at a random place replaced, removed or added."""
    state = json.loads(json.dumps(state))
    place, key = state, rng.choice(list(state))
    while isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.85:
        place = place[key]
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    match rng.randrange(6):
        case 0:
            del place[key]
        case 1 if isinstance(place, list):
            place.append(rng.choice(NASTY))
        case 1:
            place["added"] = rng.choice(NASTY)
        case _:
            place[key] = rng.choice(NASTY)
    return json.dumps(state).encode()


def npy(header, data=b""):
    """Return a ``.npy`` file with any header."""
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def changed_arrays(data, rng):
    """Return an ``.npz`` with one array that is another."""
    files = parts_of(data)
    name = rng.choice(list(files))
    array = np.load(io.BytesIO(files[name]), allow_pickle=False)
    described = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n"
    kind = rng.randrange(10)
    if kind < 7:
        with np.errstate(all="ignore"):
            new = (
                lambda: array.astype(rng.choice(("float64", "float16", "int8", "bool", "complex64", "U3"))),
                lambda: np.full_like(array, rng.choice((-1, 0, 127))),
                lambda: np.full(array.shape, rng.choice((np.nan, np.inf, -np.inf, 1e300))),
                lambda: array.reshape(-1),
                lambda: np.concatenate([array.ravel()] * 2),
                lambda: array.ravel()[:-1],
                lambda: array[None],
            )[kind]()
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(new), allow_pickle=False)
        files[name] = buffer.getvalue()
    elif kind == 7:
        del files[name]
    elif kind == 8:
        types = ("|O", "<f4", "<f0", "|V999999999", "<U999999999", "<M8[s]", "__import__('os')")
        shapes = ("()", "(1000000000000,)", "(-1,)", "(0, 99999999999999999999)", "(" * 5000, "(1,) * 9")
        files[name] = npy(described % (rng.choice(types), rng.choice(shapes)), rng.randbytes(64))
    else:
        files[rng.choice(("../../x.npy", "x", "/etc/x.npy", "nothing.npy", "\x1b[31m.npy"))] = files[name]
    return zipped(files)


def changed_graph(graph, rng):  # noqa: C901  # a list of attacks
    """Return a graph with another node, constant, place of external data, or random bytes."""
    import onnx
    from onnx import helper

    kind = rng.randrange(9)
    if kind < 2:
        data = bytearray(graph)
        for _ in range(rng.choice((1, 3, 30))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    model = onnx.load_from_string(graph)
    nodes, constants = model.graph.node, model.graph.initializer
    outside = [one for one in constants if one.data_location == onnx.TensorProto.EXTERNAL]
    if kind == 2 and outside:
        places = ("/etc/passwd", "../../../etc/passwd", "*/_ORT_MEM_ADDR_/*", "network.npz/../x", "model.json", "")
        rng.choice(outside).external_data[0].value = rng.choice(places)
    elif kind == 3 and outside:
        entry = rng.choice(rng.choice(outside).external_data[1:])
        entry.value = rng.choice(("-1", "0", "99999999999999", "x", "94529384934400"))
    elif kind == 4:
        one = rng.choice(constants)
        one.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", rng.choice(("/etc/hostname", "features.npz"))), ("length", "4")):
            one.external_data.add(key=key, value=value)
    elif kind == 5:
        body = helper.make_graph([], "body", [], [])
        new = (
            helper.make_node("Loop", ["", ""], ["z"], body=body),
            helper.make_node("If", ["real"], ["z"], then_branch=body, else_branch=body),
            helper.make_node("ConstantOfShape", ["first_axis"], ["z"]),
            helper.make_node("Expand", ["numbers", "first_axis"], ["z"]),
            helper.make_node("StringNormalizer", ["numbers"], ["z"]),
            helper.make_node("FusedMatMul", ["numbers", "numbers"], ["z"], domain="com.microsoft"),
            helper.make_node("Own", ["numbers"], ["z"], domain="own"),
        )
        nodes.append(rng.choice(new))
    elif kind == 6:  # each doubles the one before
        name = "numbers"
        for step in range(60):
            nodes.append(helper.make_node("Concat", [name, name], [f"z{step}"], axis=-1))
            name = f"z{step}"
    elif kind == 7:
        one = rng.choice([one for one in constants if one.data_type == onnx.TensorProto.FLOAT and one.raw_data])
        size = len(one.raw_data) // 4
        one.raw_data = np.full(size, rng.choice((np.nan, np.inf, 3e38)), np.float32).tobytes()
    else:
        node = rng.choice(nodes)
        match rng.randrange(4):
            case 0:
                node.op_type = rng.choice(("Mul", "Tile", "Pow", "NonZero", "Scan", "RandomNormal", "Gather"))
            case 1 if node.attribute:
                rng.choice(node.attribute).i = rng.choice((-1, 10**9, 2**62))
            case 2 if node.input:
                node.input[0] = rng.choice([other.output[0] for other in nodes])
            case _:
                del node.input[:]
    return model.SerializeToString()


def hostile(files, rng):  # noqa: C901  # a list of attacks
    """Return the name of an attack, and a bundle whose checksums are right."""
    files = dict(files)
    match rng.choice(("model.json",) * 4 + ("arrays",) * 4 + ("graph",) * 4 + ("manifest", "JSON", "archive", "bomb")):
        case "model.json" as name:
            files["model.json"] = changed_state(json.loads(files["model.json"]), rng)
        case "arrays" as name:
            part = rng.choice(("network.npz", "features.npz", "decision.npz"))
            files[part] = changed_arrays(files[part], rng)
        case "graph" as name:
            graph = rng.choice([name for name in files if name.endswith(".onnx")])
            files[graph] = changed_graph(files[graph], rng)
        case "manifest" as name:
            blob = signed(files)
            manifest = json.loads(parts_of(blob)["manifest.json"])
            match rng.randrange(5):
                case 0:
                    manifest["format_version"] = rng.choice((True, -1, 0, 1.0, "1", None, 10**400, 2))
                case 1:
                    manifest["files"]["Network.onnx"] = manifest["files"].pop("network.onnx")
                case 2:
                    manifest["files"] = rng.choice(NASTY)
                case 3:
                    manifest["files"]["model.json"] = rng.choice(NASTY)
                case _:
                    manifest["format"] = rng.choice(NASTY)
            return name, zipped({**files, "manifest.json": json.dumps(manifest).encode()})
        case "JSON" as name:
            text = (b"[" * 100_000, b'{"a":' * 50_000, b'{"a": 1' + b"0" * 5000 + b"}", b"NaN", b"\xff\xfe{\0}\0")
            part = rng.choice(("model.json", "manifest.json"))
            files[part] = rng.choice((*text, b'{"a": "\\ud800"}', b"[" + b"1," * 3_000_000 + b"1]", b""))
            return (name, signed(files)) if part == "model.json" else (name, zipped(files))
        case "archive" as name:
            match rng.randrange(4):
                case 0:
                    return name, zipped(files, rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED)))
                case 1:
                    more = {"../../outside": b"x", "/etc/outside": b"x", "a/../../b": b"x", "C:\\x": b"x"}
                    return name, zipped({**parts_of(signed(files)), **more})
                case 2:
                    buffer = io.BytesIO(signed(files))
                    with contextlib.suppress(UserWarning), zipfile.ZipFile(buffer, "a") as archive:
                        archive.writestr(rng.choice(list(files)), b"another")
                    return name, buffer.getvalue()
                case _:  # sizes in the directory of the zip
                    data = bytearray(signed(files))
                    place = data.rfind(b"PK\x01\x02") + rng.choice((8, 10, 20, 24, 42))
                    data[place : place + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f"))
                    return name, bytes(data)
        case name:
            files["network.npz"] = bomb()
            parts = parts_of(signed(files))
            return name, zipped(parts, rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)))
    return name, signed(files)


@functools.cache
def bomb():
    """Return an archive of 0.1 MB that unpacks to 100 MB."""
    return zipped({"w.npy": bytes(100 << 20)}, zipfile.ZIP_DEFLATED)


# Loaders: each returns the probabilities of the same lines, or None.


def by_serving(path):
    """Load and predict with ONNX Runtime."""
    from skol_rnn.inference.predictor import load_serving

    return load_serving(path).predict_proba(LINES)


def by_keras(path):
    """Load and predict with Keras."""
    import pandas as pd

    from skol_rnn.model import load_model

    return load_model(path).predict_proba(pd.DataFrame(LINES))


def by_store(path):
    """Save into a store of versions, and load from there."""
    from skol_rnn.inference.predictor import load_serving
    from skol_rnn.persistence.store import DiskStore

    with tempfile.TemporaryDirectory() as folder:
        store = DiskStore(folder)
        store.save(path.read_bytes())
        return load_serving(store.load()).predict_proba(LINES)


def by_folder(path):
    """Unpack into a folder, and load that; what cannot be unpacked is loaded as a file."""
    from skol_rnn.inference.predictor import load_serving

    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [one for one in archive.infolist() if "/" not in one.filename and one.file_size < 1 << 28]
                for one in entries:
                    (Path(folder) / one.filename).write_bytes(archive.read(one))
        except Exception:
            return by_serving(path)
        return load_serving(folder).predict_proba(LINES)


def by_command(words):
    """Return a loader that runs a command; standard error must be lines without a traceback or escape sequences."""

    def load(path):
        from skol_rnn.cli.app import run
        from skol_rnn.errors import SkolError

        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.txt").write_text("\n".join(LINES["value"]))
            given = {"MODEL": str(path), "TEXT": f"{folder}/a.txt", "OUT": f"{folder}/out"}
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    run([given.get(word, word) for word in words])
                    code = 0
                except SystemExit as stop:
                    code = stop.code
        said = out.getvalue() + err.getvalue()
        if "Traceback" in said or "\x1b]" in said or "\x07" in said:
            raise RuntimeError(f"the command printed {said[-500:]!r}")
        if code:
            raise SkolError(err.getvalue().strip())

    return load


LOADERS = {
    "serving": by_serving,
    "folder": by_folder,
    "store": by_store,
    "info": by_command(["info", "MODEL"]),
    "predict": by_command(["predict", "MODEL", "TEXT", "--out", "OUT"]),
    "Keras": by_keras,
}


def outcome(load, path, expected, prefix=""):
    """Return what a loader makes of a bundle."""
    from skol_rnn.errors import SkolError

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = load(path)
        equal = found is None or np.allclose(found, expected, atol=1e-4)
        result = "loaded, equal" if equal else "loaded, other predictions"
        if found is not None and not np.isfinite(found).all():
            result = "NaN"
    except SkolError as error:
        message = str(error)
        result = "refused in a sentence" if message and message.isprintable() else f"raw: {message!r:.200}"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        result = f"foreign: {type(error).__name__}: {str(error)[:100]} ({Path(place.filename).name}:{place.lineno})"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return f"took {grown:,.0f} MB, {result}" if grown > LIMIT_MB else result


def _work(pipe, model):
    expected = {}  # by loader: 8-bit weights and Keras differ a little
    with contextlib.suppress(EOFError):
        while True:
            loader, path = pipe.recv()
            if loader not in expected:
                expected[loader] = LOADERS[loader](model)
            pipe.send(outcome(LOADERS[loader], path, expected[loader]))


class Worker:
    """A process in which models are loaded; it is started again after a crash or a hang."""

    def __init__(self, model):
        self.model, self.process = model, None

    def _start(self):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=_work, args=(other, self.model))
        self.process.start()
        other.close()
        for loader in LOADERS:  # imports and caches take their memory before it is measured
            if (found := self._ask(loader, self.model, _START)) != GOOD[1]:
                raise RuntimeError(f"the model itself, loaded by {loader}: {found}")

    def _ask(self, loader, path, seconds=SECONDS):
        self.pipe.send((loader, path))
        if not self.pipe.poll(seconds):
            self.process.kill()
            return "hang"
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            return "crash"

    def run(self, loader, path):
        """Return the outcome of a loader."""
        if self.process is None or not self.process.is_alive():
            self._start()
        found = self._ask(loader, path)
        if found in ("hang", "crash"):
            self.process.join()
        return found


def main():
    """Run the attacks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--bundles", type=int, default=2000, help="damaged bundles")
    parser.add_argument("--hostile", type=int, default=500, help="hostile bundles with right checksums")
    parser.add_argument("--loaders", default=",".join(LOADERS), help="some of them")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    from skol_rnn.persistence.bundle import load_bytes

    blob = load_bytes(args.model)
    files = parts_of(blob)
    table = Counter()
    with tempfile.TemporaryDirectory() as folder:
        (intact := Path(folder) / "intact.skol").write_bytes(blob)
        worker = Worker(intact)
        for number in range(args.bundles + args.hostile):
            rng = random.Random(args.seed * 1_000_003 + number)
            is_damage = number < args.bundles
            name, data = damaged(blob, rng) if is_damage else hostile(files, rng)
            path = Path(folder) / "model.skol"
            path.write_bytes(data)
            for loader in args.loaders.split(","):
                found = worker.run(loader, path)
                bad = found not in GOOD or (is_damage and found == GOOD[2])
                if bad:
                    print(f"{number} {name}, {loader}: {found}", file=sys.stderr, flush=True)
                kind = found.split(":")[0] if bad else found
                table["damaged" if is_damage else "hostile", name, loader, kind, bad] += 1
    if worker.process is not None:
        worker.process.kill()
    print("| bundles | what | outcome | loads |\n|---|---|---|---:|")
    rows = Counter()
    for (kind, name, _, found, _), count in table.items():
        rows[kind, name, found] += count
    for (kind, name, found), count in sorted(rows.items()):
        print(f"| {kind} | {name} | {found} | {count:,} |")
    failed = sum(count for (*_, bad), count in table.items() if bad)
    print(f"\n{sum(table.values()):,} loads by {args.loaders}; {failed:,} came to something else than they should.")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
