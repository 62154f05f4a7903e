"""Attacks on everything that writes: kills, full disks, and, with --fuzz, inputs that a fuzzer makes up.

Savers are killed with SIGKILL before each of their calls that create, sync, rename or remove a file.  What is there then must
be the old state or the new one, and the same call again must reach the new one.  Then each of these calls, and each write
at several sizes, fails as on a full disk.  Trainings are killed at random batches and at random calls of this kind, up to
five times each, and resumed from what is left; weights and scores are compared with those of an uninterrupted training.

    python benchmarks/faults_writing.py --trainings 40 --redis --fuzz 1000000 --json FILE
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CALLS = (
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "shutil.rmtree",
    "fsync",
    "write",
)
SIZES = (0, 1, 100, 1000, 4000, 20_000)  # bytes that a file may have
FORMATS = ("yedda", "jsonl", "csv", "brat", "bio", "ptc", "parquet", "text")


@dataclass
class Attack:
    """Something that writes: how the old state is made, the call, and what a reader finds afterwards."""

    name: str
    before: Callable[[Path], object]
    call: Callable[[Path], object]
    read: Callable[[Path], object]
    partial: bool = False  # whether files may be written one after the other
    sizes: tuple[int, ...] = SIZES


def attacks():
    """Return everything that writes."""
    return [*models(), *trainings_files(), *stores(), *documents(), merged_review(), written_in_parts()]


def models():
    """Return the saving of a model over another one."""
    from skol_rnn.persistence.bundle import Bundle, load_bundle, save_bundle

    def attack(name, file):
        def save(place, number):
            save_bundle(Bundle({"number": number}, {"a": np.full(3000, number, np.float32)}), place / file)

        return Attack(name, lambda p: save(p, 1), lambda p: save(p, 2), lambda p: load_bundle(p / file).state["number"])

    return attack("model, folder", "m"), attack("model, one file", "m.skol")


def trainings_files():
    """Return the writing of a checkpoint, and of the file with the command."""
    from skol_rnn.cli.command_file import TrainingCommand, read_command
    from skol_rnn.training.checkpoint import Checkpoint, read_checkpoint

    def write(place, epoch):
        progress = {"epoch": epoch, "batch": 0, "best": 0.0, "best_epoch": 0, "history": {}}
        Checkpoint("x", progress, [np.full(3000, epoch, np.float32)], [], []).write(place / "c")

    def note(place, number):
        TrainingCommand(["train", str(number)], ".", "c", {}).write(place / "c")

    return (
        Attack("checkpoint", lambda p: write(p, 1), lambda p: write(p, 2), lambda p: read_checkpoint(p / "c").progress),
        Attack("command of a training", lambda p: note(p, 1), lambda p: note(p, 2), lambda p: read_command(p / "c")),
    )


def stores():
    """Return saves and the rollback of a store on disk."""
    from skol_rnn.persistence.store import DiskStore

    def store(place):
        return DiskStore(place / "s", keep=2)

    def saved(*blobs):
        return lambda place: [store(place).save(blob) for blob in blobs]

    def read(place):
        assert all(version.size for version in store(place).versions())
        return store(place).load()

    def back(place):
        return store(place).load() == b"new" or store(place).rollback()

    return (
        Attack("store, save", saved(b"old"), saved(b"new"), read),
        Attack("store, third save", saved(b"0", b"old"), saved(b"new"), read),
        Attack("store, rollback", saved(b"new", b"old"), back, read),
    )


def documents():
    """Return the writing of documents to a folder."""
    from skol_rnn.data.document import Document
    from skol_rnn.data.reading import read_documents
    from skol_rnn.data.writing import write_documents

    made = [Document(f"d{i}", f"text {i}\nmore of {i}", ("A", "B")) for i in range(4)]

    def read(place):
        visible = any(not file.name.startswith(".") for file in (place / "o").glob("*"))
        return sorted(document.text for document in read_documents(place / "o")) if visible else []

    def attack(form):
        write = lambda place: write_documents(made, place / "o", format=form)  # noqa: E731
        return Attack(f"documents, {form}", lambda place: (place / "o").mkdir(), write, read, partial=True)

    return [attack(form) for form in ("yedda", "jsonl", "csv", "brat")]


def merged_review():
    """Return the merging of corrections into three annotated files."""
    sys.path.insert(0, str(ROOT / "tests" / "review"))
    from rounds import exported, made_round

    from skol_rnn import merge_review

    files = ("a", "b", "c")

    def before(place):
        (place / "files").mkdir()
        for name in files:
            (place / "files" / f"{name}.txt.ann").write_text(f"[@one of {name}#Name*]\n[@two#Text*]\n")
        found = made_round(place / "round", place / "files", [(i, 0) for i in range(3)])
        (place / "c.jsonl").write_text(exported(found, dict.fromkeys(range(3), "Misc")))

    def read(place):
        return [(place / "files" / f"{name}.txt.ann").read_text() for name in files]

    # What would be written is read again first, from the system's folder of temporary files, which holds 100 bytes or more.
    merge = lambda place: merge_review(place / "round", place / "c.jsonl")  # noqa: E731
    return Attack("review, merge", before, merge, read, partial=True, sizes=SIZES[2:])


def written_in_parts():
    """Return the writing of a file in parts, as of records, over another one."""
    from skol_rnn.persistence.atomic import writing_atomically

    def write(place, number):
        with writing_atomically(place / "r.jsonl") as stream:
            for _ in range(3):
                stream.write(b"%d\n" % number * 2000)

    return Attack("file, in parts", lambda p: write(p, 1), lambda p: write(p, 2), lambda p: (p / "r.jsonl").read_text())


class Injected:
    """Counts what a process does to files, and kills it or raises an error at one of these calls."""

    def __init__(self, folder, at, fail):
        self.folder, self.at, self.fail, self.count = str(folder), at, fail, 0
        sys.addaudithook(self.audit)
        fsync = os.fsync
        os.fsync = lambda descriptor: (self.reached("fsync"), fsync(descriptor))[1]

    def audit(self, event, arguments):
        if event in CALLS and arguments and str(arguments[0]).startswith(self.folder):
            if event != "open" or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
                self.reached(event, str(arguments[0]))

    def reached(self, event, *name):
        self.count += 1
        if self.count == self.at:
            if self.fail:
                raise OSError(28, "No space left on device", *name)
            os.kill(os.getpid(), signal.SIGKILL)


def forked(function):
    """Run a function in a process of its own; return its exit status, negative for a signal, and what it says."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = function() or ""
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(into, said.encode()[:60_000])
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        said = stream.read().decode()
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), said


def states(attack, folder):
    """Return what a reader finds before and after an undisturbed call, and how many calls it makes."""
    attack.before(folder)
    old = attack.read(folder)

    def whole():
        injected = Injected(folder, 0, False)
        attack.call(folder)
        return str(injected.count)

    _, count = forked(whole)
    if not count.isdigit():
        raise RuntimeError(f"{attack.name}: {count}")
    return old, attack.read(folder), int(count)


def problem(attack, folder, states, said):
    """Say what is lost after a disturbed call, or return nothing."""
    old, new, files = states
    try:
        found = attack.read(folder)
    except Exception as error:
        return f"unreadable: {type(error).__name__}: {error}"
    partial = attack.partial and set(found) <= {*old, *new}
    if found not in (old, new) and not partial:
        return f"neither old nor new: {found!r}"
    if said and not said.startswith(("StoreError", "DataError", "OSError", "BundleError")):
        return f"foreign error: {said}"
    if said and str(folder) not in said:
        return f"error without a file: {said}"
    if attack.partial and found == new and not any("journal" in file.name for file in folder.rglob("*")):
        return ""  # killed after the last step; the same call would refuse to replace files
    try:
        attack.call(folder)
    except Exception as error:
        return f"the same call again: {type(error).__name__}: {error}"
    if attack.read(folder) != new:
        return f"the same call again: {attack.read(folder)!r}"
    left = {file.name for file in folder.rglob("*") if file.name.endswith(".tmp") or "journal" in file.name}
    # Temporary files of stores and single saves are removed an hour later: other processes may be writing them.
    return f"left over: {left}" if attack.partial and left else ""


def disturbed(attack, how, every=1):
    """Disturb an attack's call at every place; return how often, and what went wrong."""
    with tempfile.TemporaryDirectory() as place:
        known = states(attack, Path(place))
    tried, problems = 0, []
    places = attack.sizes if how == "size" else range(1, known[2] + 1)
    for at in places[::every]:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            attack.before(folder)

            def call(folder=folder, at=at):
                if how == "size":
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
                else:
                    Injected(folder, at, how == "full")
                attack.call(folder)

            status, said = forked(call)
            tried += 1
            if how == "kill" and status != -signal.SIGKILL:
                problems.append(f"{attack.name}, call {at}: not killed ({status}, {said})")
            elif wrong := problem(attack, folder, known, said):
                problems.append(f"{attack.name}, {how} {at}: {wrong}")
    return tried, problems


# -- trainings --------------------------------------------------------------------------------------------------------

SETTINGS = {"epochs": 3, "input_size": 8, "hidden_size": 6, "line_size": 8, "num_layers": 1, "window_size": 8, "stride": 8,
            "batch_size": 4, "dropout": 0.3, "feature_dropout": 0.2, "min_updates": 0, "validation_fraction": 0.2,
            "sampling": "oversample", "verbosity": 0}  # fmt: skip


def train(folder, kill):
    """Train in this process; ``kill`` is the number of a batch, or of a call of the system, where it is killed."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from toy import toy_table

    from skol_rnn import RNNSkolModel
    from skol_rnn.training import checkpoint
    from skol_rnn.training.log import TrainingLog

    what, number = kill.split(":")
    checkpoint.SAVED_EVERY = 0.0
    if what == "call":
        Injected(folder, int(number), False)
    done = []

    def step(log, loss):
        done.append(loss)
        if what == "batch" and len(done) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    TrainingLog.step = step
    model = RNNSkolModel(**SETTINGS).fit(toy_table(4, 30), checkpoint=folder / "run.npz")
    arrays = {name: array for name, array in model.bundle().network.items()}
    np.savez(folder / "weights.npz", **arrays)
    (folder / "history.json").write_text(json.dumps([model.history_, len(done)]))


def trained(folder, kill):
    """Train in a process of its own; return whether it reached the end."""
    words = [sys.executable, __file__, "--train", str(folder), "--kill", kill]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(done.stderr[-2000:])
    return done.returncode == 0


def same(folder, other):
    """Whether two trainings ended with the same bits."""
    arrays, others = np.load(folder / "weights.npz"), np.load(other / "weights.npz")
    history, _ = json.loads((folder / "history.json").read_text())
    expected, _ = json.loads((other / "history.json").read_text())
    return history == expected and all(np.array_equal(arrays[name], others[name]) for name in others)


def kill_trainings(number, seed):
    """Kill trainings at random batches and calls, several times each; return the number of kills, and what went wrong."""
    chosen, problems, kills = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory() as place:
        straight = Path(place) / "straight"
        straight.mkdir()
        assert trained(straight, "none:0")
        _, batches = json.loads((straight / "history.json").read_text())
        run = 0
        while kills < number:
            folder, run = Path(place) / str(run), run + 1
            folder.mkdir()
            for _ in range(min(5, number - kills)):
                what = chosen.choice(("batch", "call"))
                if trained(folder, f"{what}:{chosen.randint(1, max(batches // 5, 2) * (1 if what == 'batch' else 5))}"):
                    break
                kills += 1
            if not (folder / "weights.npz").exists():
                trained(folder, "none:0")
            if not same(folder, straight):
                problems.append(f"training {run}: other weights")
            left = sorted(file.name for file in folder.iterdir() if file.name.endswith(".tmp"))
            problems += [f"training {run}: left over {left}"] * bool(left)
            shutil.rmtree(folder)
    return kills, problems


# -- Redis ------------------------------------------------------------------------------------------------------------


def kill_redis(times, program):
    """Kill savers at each command they send, and servers during saves; return the number of kills, and what went wrong."""
    sys.path.insert(0, str(ROOT / "tests"))
    import redis_server

    from skol_rnn.errors import SkolError
    from skol_rnn.persistence.store import RedisStore

    problems, kills = [], 0
    with tempfile.TemporaryDirectory() as place:
        server = redis_server.RedisServer(Path(place), program=program)
        try:
            for number in range(1, times + 1):
                RedisStore(server.client(), "m", keep=2).save(b"old")
                at = number % 6 + 1

                def save(at=at, number=number):
                    from redis.connection import AbstractConnection

                    send, sent = AbstractConnection.send_packed_command, []

                    def killing(*arguments, **more):
                        sent.append(1)
                        if len(sent) == at + 2:  # after the handshake
                            os.kill(os.getpid(), signal.SIGKILL)
                        return send(*arguments, **more)

                    AbstractConnection.send_packed_command = killing
                    RedisStore(server.client(), "m", keep=2).save(b"new%d" % number * 1000)

                if number % 4:
                    forked(save)
                else:
                    child = os.fork()
                    if not child:
                        try:
                            RedisStore(server.client(), "m", keep=2).save(b"new%d" % number * 1_000_000)
                        except SkolError:
                            pass
                        finally:
                            os._exit(0)
                    time.sleep(0.001 * (number % 40))
                    server.kill()
                    os.waitpid(child, 0)
                    server.start()
                kills += 1
                client = server.client()
                try:
                    blob = RedisStore(client, "m", keep=2).load()
                    if blob != b"old" and not blob.startswith(b"new%d" % number):
                        problems.append(f"{number}: neither old nor new")
                except SkolError as error:
                    problems.append(f"{number}: {error}")
                known = {b"m:" + one for one in client.smembers("m:versions")} | {b"m", b"m:versions"}
                problems += [
                    f"{number}: {key} for ever" for key in client.keys() if key not in known and client.ttl(key) < 0
                ]
        finally:
            server.kill()
    return kills, problems


# -- fuzzing ----------------------------------------------------------------------------------------------------------


def fuzz(form, runs, folder):
    """Fuzz a reader in a process of its own; return how many inputs it read, and the foreign errors."""
    faults = folder / form
    words = [
        sys.executable,
        str(ROOT / "benchmarks" / "fuzzing.py"),
        form,
        "--runs",
        str(runs),
        "--faults",
        str(faults),
    ]
    words += ["--corpus", str(ROOT / "tests" / "data" / "broken" / form)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=environment)
    units = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    if not units:
        raise RuntimeError(done.stderr[-2000:])
    return int(units[0]), sorted(file.name for file in faults.iterdir())


def main():
    """Attack, print a table, and end with status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="disturb each Nth call only")
    parser.add_argument("--trainings", type=int, default=0, metavar="N", help="kills of trainings")
    parser.add_argument("--redis", nargs="*", metavar="PROGRAM", help="redis-server (if not given) and valkey-server")
    parser.add_argument(
        "--fuzz", type=int, default=0, metavar="N", help="inputs for each reader; a fifth for parquet and text"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--faults", type=Path, default=Path("faults"), help="folder for inputs that end in foreign errors"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kill", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        return train(given.train, given.kill)
    table = {}
    for how, what in (
        ("kill", "killed before each call"),
        ("full", "disk full at each call"),
        ("size", "disk full within a write"),
    ):
        for attack in attacks():
            table[f"{attack.name}: {what}"] = disturbed(attack, how, given.every)
    for program in [] if given.redis is None else given.redis or ["redis-server"]:
        table[f"{program}: savers and servers killed"] = kill_redis(160, program)
    if given.trainings:
        table["trainings killed"] = kill_trainings(given.trainings, given.seed)
    for form in FORMATS if given.fuzz else ():
        runs = given.fuzz // 5 if form in ("parquet", "text") else given.fuzz
        table[f"{form}: inputs of the fuzzer"] = fuzz(form, runs, given.faults)
    for name, (tried, problems) in table.items():
        print(f"{name:<48}{tried:>10,}{len(problems):>6} lost")
        for text, count in Counter(problems).items():
            print(f"    {count} x {text}")
    if given.json:
        given.json.write_text(
            json.dumps({name: {"tried": t, "lost": p} for name, (t, p) in table.items()}, indent=1) + "\n"
        )
    return int(any(problems for _, problems in table.values()))


if __name__ == "__main__":
    sys.exit(main())
