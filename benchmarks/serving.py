"""Lines labelled per second, from text to labels, and the memory needed.

skol_rnn through ONNX Runtime and through Keras, a CRF (sklearn-crfsuite) and TF-IDF with a linear SVC label the same
plain text, reading included, each in its own process on one core.  The network alone on precomputed arrays is the upper
limit.  Rates are lines per CPU second.  All systems are measured in turn, several times, for the pace of a machine changes:
tables have the median, and ratios are the median of those within a round.

    python benchmarks/serving.py --train TRAIN --model MODEL --json docs/serving.json --markdown docs/serving_measured.md
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

IMPORTANT = ("Nomenclature", "Description")
SIZES = (10_000, 100_000, 1_000_000)  # lines of the memory measurement; the second also measures the rates
ROUNDS = 7
RATES = {
    "onnx": "skol_rnn, ONNX Runtime",
    "float32": "skol_rnn, ONNX Runtime, weights of 32 bits",
    "keras": "skol_rnn, Keras",
    "crf": "sklearn-crfsuite, features included",
    "svc": "TF-IDF + LinearSVC",
    "network": "network alone, precomputed arrays",
}
COLD_STARTS = 9
SMALL_DOCUMENT = 200  # lines
ROUNDING, MOST_APART = 1e-6, 1e-5  # difference of probabilities, and share of lines that may differ by more
GOALS = {
    "speed relative to the CRF": (5.0, "at least"),
    "speed relative to LinearSVC": (1.0, "at least"),
    "peak memory at the most lines, MB": (300, "at most"),
    "peak memory, most lines relative to fewest": (1.3, "at most"),
    "cold start, seconds": (0.7, "at most"),
}


def write_corpus(train, folder, n_lines):
    """Write the plain text of the documents repeatedly, until there are n_lines lines."""
    from skol_rnn import read_documents

    documents = list(read_documents(train))
    written = 0
    for copy, document in enumerate(cycle(documents)):
        lines = document.lines[: n_lines - written]
        path = folder / f"{copy // len(documents):04d}" / f"{document.doc_id}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.text[: lines[-1].end] + "\n", encoding="utf-8")
        written += len(lines)
        if written >= n_lines:
            return


# -- systems: each takes documents one at a time and yields the number of lines labelled ----------------------------


class Ours:
    """A saved skol_rnn model."""

    def __init__(self, arguments, backend):
        from skol_rnn.inference.predictor import load_serving

        precision = "float32" if backend == "float32" else "auto"
        backend = "onnx" if backend == "float32" else backend
        self.model = load_serving(arguments.model, backend=backend, threads=1, precision=precision)

    def label(self, documents):
        """Label document by document."""
        for found in self.model.predict_documents(document.columns() for document in documents):
            yield len(found.labels)


class Peer:
    """One of the peers of the quality benchmark."""

    def __init__(self, arguments, kind):
        file = arguments.peers / f"{kind}.pickle"
        if file.exists():  # fitted once, for all rounds
            self.system = pickle.loads(file.read_bytes())
            return
        import peers

        from skol_rnn import LabelSet, read_documents

        table = read_documents(arguments.train).table
        table["label"] = table["label"].where(table["label"].isin(IMPORTANT), "Misc")
        if kind == "crf" and arguments.crf_lines:
            table = table.iloc[: arguments.crf_lines]
        self.system = peers.CRF() if kind == "crf" else peers.LinearLines("svc")
        self.system.fit(table, LabelSet((*IMPORTANT, "Misc")), 0)
        file.write_bytes(pickle.dumps(self.system))

    def label(self, documents):
        """Label document by document."""
        for document in documents:
            yield len(self.system.predict(document.table()))


class NetworkAlone:
    """The network on precomputed features and windows."""

    def __init__(self, arguments):
        from skol_rnn.inference.predictor import load_serving

        self.predictor, self.ready = load_serving(arguments.model, backend="onnx", threads=1).predictor, {}

    def label(self, documents):
        """Run the network over the arrays of :meth:`prepare`."""
        for document in documents:
            features, lines = self.ready[document.doc_id.split("/")[-1]]
            size = self.predictor.windows.batch_size
            for start in range(0, len(lines), size):
                self.predictor.runner.logits(features, lines[start : start + size])
            yield len(features.ids)

    def prepare(self, documents):
        """Compute features and windows once for each distinct document, and keep them."""
        from skol_rnn.windows import cut_windows

        kept = []
        for document in documents:
            name = document.doc_id.split("/")[-1]
            if name not in self.ready or len(self.ready[name][0].ids) == len(document.lines):
                if name not in self.ready:
                    features = self.predictor.features.transform(document.columns())
                    settings = self.predictor.windows
                    windows = cut_windows([len(document.lines)], settings.window_size, settings.stride)
                    self.ready[name] = features, windows.lines
                kept.append(document)
        return kept


def measure(arguments):
    """Label a corpus; print time and memory as JSON."""
    from skol_rnn.data.reading import DocumentStream

    what = arguments.measure
    if what in ("onnx", "float32", "keras"):
        system = Ours(arguments, what)
    else:
        system = NetworkAlone(arguments) if what == "network" else Peer(arguments, what)
    stream = DocumentStream(arguments.corpus)
    if what == "network":
        stream = system.prepare(stream)
    warm_up = next(iter(stream))
    if what != "network":
        lines = warm_up.lines[:SMALL_DOCUMENT]
        warm_up = type(warm_up)(warm_up.doc_id, warm_up.text[: lines[-1].end])
    list(system.label([warm_up]))
    after_start = memory("VmRSS")
    wall, cpu = time.monotonic(), time.process_time()
    n_lines = sum(system.label(stream))
    measured = {
        "lines": n_lines,
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.monotonic() - wall,
        "after_start_mb": after_start,
        "peak_mb": memory("VmHWM"),
    }
    print(json.dumps(measured))


def memory(which):
    """Return current (VmRSS) or peak (VmHWM) memory in MB; getrusage would include the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{which}:")[1].split()[0]) / 1024


# -- the runs --------------------------------------------------------------------------------------------------------


def in_own_process(what, corpus, arguments):
    """Measure one system on one core, in its own process."""
    command = [sys.executable, __file__, "--measure", what, "--corpus", str(corpus), "--train", str(arguments.train)]
    options = {"--model": arguments.model, "--crf-lines": arguments.crf_lines, "--peers": arguments.peers}
    command += [str(word) for pair in options.items() for word in pair]
    core = max(os.sched_getaffinity(0))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode:
        sys.exit(f"{what}: {done.stderr[-2000:]}")
    measured = json.loads(done.stdout.splitlines()[-1])
    print(f"{what} on {measured['lines']:,} lines: {rate([measured]):,.0f} lines per CPU second")
    return measured


def check_agreement(arguments):
    """Compare every way to load the model with Keras on the annotated documents, before anything is timed."""
    import numpy as np

    from skol_rnn import load_model, read_documents
    from skol_rnn.inference.predictor import load_serving
    from skol_rnn.persistence.bundle import load_bundle

    table = read_documents(arguments.check or arguments.train).table
    blob = load_bundle(arguments.model).to_bytes()
    loaders = {
        "RNNSkolModel": load_model(arguments.model),
        "Keras": load_serving(arguments.model, backend="keras"),
        "ONNX Runtime, 32 bits": load_serving(arguments.model, precision="float32"),
        "ONNX Runtime, 32 bits, from bytes": load_serving(blob, precision="float32"),
        "ONNX Runtime": load_serving(arguments.model),
    }
    found = {}
    for name, model in loaders.items():
        labels = model.predict(table)
        labels = np.asarray(labels["predicted_label"]) if name == "RNNSkolModel" else labels
        found[name] = labels, model.predict_proba(table)
    expected, probabilities = found["Keras"]
    compared = {
        name: {
            "lines": len(labels),
            "other_labels": int((labels != expected).sum()),
            "largest_difference": float(np.abs(each - probabilities).max()),
            "lines_apart": int((np.abs(each - probabilities).max(axis=1) > ROUNDING).sum()),
            "precision": getattr(loaders[name], "precision", "float32"),
        }
        for name, (labels, each) in found.items()
    }
    for name, figures in compared.items():
        print(name, figures)
        # Where rounding crosses a threshold of the second pass's trees, a line gets another leaf.
        many_apart = figures["lines_apart"] > MOST_APART * figures["lines"]
        if figures["precision"] == "float32" and (figures["other_labels"] or many_apart):
            sys.exit(f"{name} and Keras differ: {figures}")
    return compared


def cold_start(corpus, arguments, folder):
    """Time the command on two small files, from a cold start, with the bytecode that an installation writes."""
    small = folder / "small"
    small.mkdir()
    for number, source in enumerate(sorted(corpus.rglob("*.txt"))[:2]):
        lines = source.read_text(encoding="utf-8").split("\n")[:SMALL_DOCUMENT]
        (small / f"{number}.txt").write_text("\n".join(lines), encoding="utf-8")
    words = ["predict", str(arguments.model), str(small), "--out", str(folder / "out"), "--overwrite"]
    # Where Python may not write bytecode, a clone is compiled at each start and an installed package is not.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds = []
    for _ in range(1 + COLD_STARTS):  # the first one writes the bytecode
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "skol_rnn", *words], check=True, capture_output=True, env=environment)
        seconds.append(time.monotonic() - started)
    return seconds[1:]


def run_all(arguments):
    """Write the corpora, measure, and return all results."""
    sizes = sorted({min(size, arguments.lines) for size in SIZES})
    with tempfile.TemporaryDirectory() as place:
        corpora = {size: Path(place) / str(size) for size in sizes}
        for size, folder in corpora.items():
            write_corpus(arguments.train, folder, size)
        arguments.peers = Path(place)
        loaders = check_agreement(arguments)
        for kind in ("svc", "crf"):
            Peer(arguments, kind)
        rated, rounds = sizes[:2][-1], []
        for _ in range(ROUNDS):
            rounds.append({what: in_own_process(what, corpora[rated], arguments) for what in RATES})
        rates = {what: [one[what] for one in rounds] for what in RATES}
        sized = {size: in_own_process("onnx", corpora[size], arguments) for size in sizes}
        started = cold_start(corpora[sizes[0]], arguments, Path(place))
    import skol_rnn
    from skol_rnn.frameworks import installed_versions

    libraries = installed_versions("numpy", "onnxruntime", "tensorflow", "scikit-learn", "sklearn-crfsuite")
    return {
        "lines": rated,
        "crf_training_lines": arguments.crf_lines or "all",
        "loaders": loaders,
        "rates": rates,
        "memory": {str(size): measured for size, measured in sized.items()},
        "cold_start_seconds": started,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {"skol_rnn": skol_rnn.__version__, **libraries},
    }


def processor():
    """Return the name of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def rate(runs):
    """Return lines per CPU second, the median of some runs."""
    return statistics.median(run["lines"] / run["cpu_seconds"] for run in runs)


def speed_up(rates, what):
    """Return how many times as fast as another system ours is, the median of the rounds."""
    pairs = zip(rates["onnx"], rates[what], strict=True)
    return statistics.median(rate([ours]) / rate([other]) for ours, other in pairs)


def slowest_and_fastest(runs):
    """Return the range of the rates of some runs."""
    found = [rate([run]) for run in runs]
    return f"{min(found):,.0f} to {max(found):,.0f}"


def goals(figures):
    """Return the results that have a goal."""
    rates, memory_used = figures["rates"], list(figures["memory"].values())
    return {
        "speed relative to the CRF": speed_up(rates, "crf"),
        "speed relative to LinearSVC": speed_up(rates, "svc"),
        "peak memory at the most lines, MB": memory_used[-1]["peak_mb"],
        "peak memory, most lines relative to fewest": memory_used[-1]["peak_mb"] / memory_used[0]["peak_mb"],
        "cold start, seconds": statistics.median(figures["cold_start_seconds"]),
    }


def to_markdown(figures):
    """Build the page."""
    rates, machine = figures["rates"], figures["machine"]
    ours = rate(rates["onnx"])
    rows = [
        f"| {name} | {rate(rates[what]):,.0f} | {slowest_and_fastest(rates[what])} | {speed_up(rates, what):.2f} |"
        for what, name in RATES.items()
    ]
    used = [
        f"| {int(size):,} | {run['after_start_mb']:.0f} | {run['peak_mb']:.0f} | {rate([run]):,.0f} |"
        for size, run in figures["memory"].items()
    ]
    reached = goals(figures)
    verdicts = []
    for name, (limit, sense) in GOALS.items():
        good = reached[name] >= limit if sense == "at least" else reached[name] <= limit
        verdicts.append(f"| {name} | {sense} {limit} | {reached[name]:.2f} | {'yes' if good else '**no**'} |")
    pages = 3e9 / ours / 3600
    return "\n".join(
        [
            "# Serving on one core, without Spark",
            "",
            "Generated by `python benchmarks/serving.py --train TRAIN --model MODEL --json docs/serving.json "
            "--markdown docs/serving_measured.md`; all results are in `serving.json`.",
            "",
            f"Task: {figures['lines']:,} lines of plain text, reading included, on one core of {machine['processor']}, "
            f"Python {machine['python']}, ONNX Runtime {figures['versions']['onnxruntime']}. The CRF was trained on "
            f"{figures['crf_training_lines']} lines. Medians of {len(rates['onnx'])} rounds.",
            "",
            "| From text to labels | lines per CPU second | slowest and fastest | speed-up by ONNX Runtime |",
            "|---|---|---|---|",
            *rows,
            "",
            "Cold start: the command on two files of 200 lines, from the start of the process to its end, with the bytecode "
            "that pip writes when it installs the package.",
            "",
            "| Loaded as | lines | labels other than Keras's | lines whose probabilities differ | largest difference | weights |",
            "|---|---|---|---|---|---|",
            *(
                f"| {name} | {one['lines']:,} | {one['other_labels']:,} | {one['lines_apart']:,} | {one['largest_difference']:.1g} | {one['precision']} |"
                for name, one in figures["loaders"].items()
            ),
            "",
            "| Lines | MB after start | peak MB | lines per CPU second |",
            "|---|---|---|---|",
            *used,
            "",
            "| Quantity | goal | measured | reached |",
            "|---|---|---|---|",
            *verdicts,
            "",
            f"Three billion lines (about 60 million pages) would take {pages:,.0f} hours on one such core.",
            "",
        ]
    )


def main():
    """Measure and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--train", type=Path, required=True, help="annotated documents")
    parser.add_argument("--model", type=Path, required=True, help="saved model with an ONNX graph")
    parser.add_argument("--check", type=Path, help="documents on which the loaders are compared; --train if not given")
    parser.add_argument("--lines", type=int, default=SIZES[-1])
    parser.add_argument("--crf-lines", type=int, default=0, help="training lines of the CRF; 0 for all")
    parser.add_argument("--json", type=Path, default=Path("docs/serving.json"))
    parser.add_argument("--markdown", type=Path, default=Path("docs/serving_measured.md"))
    parser.add_argument("--measure", choices=RATES, help=argparse.SUPPRESS)
    for name in ("--corpus", "--peers"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments)
        return
    figures = run_all(arguments)
    figures["goals"] = goals(figures)
    arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    arguments.markdown.write_text(to_markdown(figures), encoding="utf-8")
    print(to_markdown(figures))


if __name__ == "__main__":
    main()
