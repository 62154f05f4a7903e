"""How many lines a second does Spark label with one worker and with two, from files to Parquet?

The same files without Spark, through pandas, come first: their labels must be those that Spark gives.  Each row is a
process of its own, whose first job starts the workers and is not counted.

    python benchmarks/scale.py --files ANNOTATED --model MODEL --json docs/scale.json --markdown docs/scale_measured.md
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

ROWS = {"pandas": 0, "Spark, 1 worker": 1, "Spark, 2 workers": 2}
KEYS = ["doc_id", "line_number"]


def measure(arguments):
    """Label all files several times; return the lines, the seconds of each time, and the labels, pickled."""
    from skol_rnn.classifier.classifier import SkolClassifierV2

    spark = session(arguments.measure) if arguments.measure else None
    options = {"extraction_mode": "line", "model_storage": "disk", "model_path": arguments.model}
    began = time.monotonic()
    classifier = SkolClassifierV2(spark, file_paths=[arguments.files], auto_load_model=True, **options)
    seconds = []
    with tempfile.TemporaryDirectory() as place:
        for turn in range(arguments.times + 1):
            labelled = classifier.predict()
            out = Path(place) / str(turn)
            if spark:
                labelled.write.parquet(str(out))
            else:
                labelled.to_parquet(out)
            seconds.append(time.monotonic() - began)
            began = time.monotonic()
        rows = pd.read_parquet(out).sort_values(KEYS, ignore_index=True)
    if spark:
        spark.stop()
    rows.to_pickle(arguments.labels)
    return {"lines": len(rows), "first_seconds": seconds[0], "seconds": seconds[1:]}


def session(workers):
    """Start Spark with that many Python workers on this machine."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{workers}]").config("spark.ui.enabled", "false")
    made = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    return made


def run_all(arguments):
    """Measure each row in a process of its own, and compare their labels."""
    told, labels = {}, {}
    with tempfile.TemporaryDirectory() as place:
        for name, workers in ROWS.items():
            file = Path(place) / str(workers)
            command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(workers), "--labels", str(file)]
            # One thread for each worker, also where there is no Spark that would see to it.
            environment = {"PYSPARK_PYTHON": sys.executable, **os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            told[name] = json.loads(done.stdout.splitlines()[-1])
            labels[name] = pd.read_pickle(file)
            print(name, told[name], file=sys.stderr, flush=True)
    first = labels["pandas"]
    for name, rows in labels.items():
        if not (rows[KEYS].equals(first[KEYS]) and (rows["predicted_label"] == first["predicted_label"]).all()):
            raise SystemExit(f"The labels of {name} are not those of pandas.")
    return {"rows": told, "cores": os.cpu_count()}


def to_markdown(figures, command):
    """Lay out the table."""
    rates = {name: row["lines"] / statistics.median(row["seconds"]) for name, row in figures["rows"].items()}
    lines = [
        f"Made by `{command}`, {figures['cores']} cores; {figures['rows']['pandas']['lines']:,} lines, the same labels in "
        "all rows. Medians of the jobs after the first, which also starts the workers and loads the model.",
        "",
        "| | lines a second | against one worker | first job, s | jobs, s |",
        "|---|---|---|---|---|",
    ]
    for name, row in figures["rows"].items():
        seconds = ", ".join(f"{s:.1f}" for s in row["seconds"])
        ratio = rates[name] / rates["Spark, 1 worker"]
        lines.append(f"| {name} | {rates[name]:,.0f} | {ratio:.2f} | {row['first_seconds']:.1f} | {seconds} |")
    return "\n".join([*lines, ""])


def main():
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", required=True, help="folder of annotated documents")
    parser.add_argument("--model", required=True, help="a model saved with its graph")
    parser.add_argument("--times", type=int, default=3, help="jobs that are counted")
    parser.add_argument("--json", type=Path, default=Path("docs/scale.json"))
    parser.add_argument("--markdown", type=Path, default=Path("docs/scale_measured.md"))
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--labels", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(measure(arguments)))
        return
    figures = run_all(arguments)
    arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    command = "python benchmarks/scale.py --files TRAIN --model MODEL"
    arguments.markdown.write_text(
        "# Spark with one worker and two\n\n" + to_markdown(figures, command), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
