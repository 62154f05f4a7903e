"""Coverage-guided fuzzing of one reader with Atheris: whatever is no DataError is a fault, and its input is kept.

python benchmarks/fuzzing.py yedda --runs 1000000 --corpus tests/data/broken/yedda --faults FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

FORMATS = {"yedda": "txt.ann", "text": "txt", "jsonl": "jsonl", "csv": "csv", "parquet": "parquet", "bio": "bio",
           "brat": "ann", "ptc": "labels.tsv"}  # fmt: skip
TEXT = "Fusella nova Smith 1899\nPileus red, 3-5 cm broad 𝔘.\n\n[@Misc text here\n" * 3
"""The text that files of spans, which brat and ptc have next to it, are about."""
_LARGEST = 8192


def reading(form, folder):
    """Return a function that reads bytes as a file of a format, as lines and as tokens."""
    from skol_rnn.data.discovery import Found, find_files
    from skol_rnn.data.reading import Reader
    from skol_rnn.data.spans import SpanRules

    place = folder / f"x.{FORMATS[form]}"
    file = Found(place, place.name, form, str(place), named=True)
    if form == "brat":
        (folder / "x.txt").write_text(TEXT)
    if form == "ptc":
        (folder / "x").mkdir(exist_ok=True)
        (folder / "x" / "article1.txt").write_text(TEXT)
        (file,), _ = find_files([folder / "x" / "article1.txt"], "ptc")

    def read(data):
        place.write_bytes(data)
        for unit in ("line", "token"):
            reader = Reader(False, unit, rules=SpanRules(overlap="longest"))
            for document in reader.read(file, []):
                document.columns()

    return read


COLUMNS = ("value", "label", "doc_id", "filename", "line_number", "start", "end", "blank_before", "break_before",
           "page_break", "order", "probabilities", "__index_level_0__", "other")  # fmt: skip


def as_table(data):
    """Make a Parquet file of columns whose names, types and values bytes choose: few changed files are whole ones."""
    import atheris
    import pyarrow as pa
    import pyarrow.parquet as pq

    given = atheris.FuzzedDataProvider(data)
    rows = given.ConsumeIntInRange(0, 4)
    whole = lambda: given.ConsumeIntInRange(-(2**63), 2**63 - 1)  # noqa: E731
    small = lambda: given.ConsumeIntInRange(-2, 9)  # noqa: E731
    text = lambda: given.ConsumeUnicodeNoSurrogates(6)  # noqa: E731
    kinds = (
        (pa.string(), text), (pa.int64(), small), (pa.int64(), whole), (pa.float64(), given.ConsumeFloat), (pa.bool_(), given.ConsumeBool),
        (pa.binary(), lambda: given.ConsumeBytes(4)), (pa.list_(pa.string()), lambda: [text()]), (pa.int8(), small),
        (pa.timestamp("ns"), whole), (pa.date32(), small), (pa.duration("ms"), small), (pa.uint64(), lambda: abs(whole())),
        (pa.struct({"a": pa.int64()}), lambda: {"a": small()}), (pa.large_string(), text), (pa.decimal128(5, 2), small), (pa.null(), lambda: None),
        (pa.dictionary(pa.int8(), pa.string()), text), (pa.map_(pa.string(), pa.int64()), lambda: [(text(), small())]),
        (pa.float32(), given.ConsumeFloat), (pa.time64("us"), small),
    )  # fmt: skip
    names, arrays = [], []
    for number in range(given.ConsumeIntInRange(0, 5)):
        names.append("value" if not number and given.ConsumeBool() else given.PickValueInList(list(COLUMNS)))
        kind, value = kinds[0] if given.ConsumeBool() else given.PickValueInList(list(kinds))
        values = [None if given.ConsumeIntInRange(0, 7) == 7 else value() for _ in range(rows)]
        try:
            arrays.append(pa.array(values, kind))
        except (pa.ArrowInvalid, OverflowError):  # a number that the type does not hold
            arrays.append(pa.nulls(rows, kind))
    buffer = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_arrays(arrays, names), buffer, compression="NONE")
    except pa.ArrowException:  # a type that Parquet does not store
        return data
    return buffer.getvalue()


def attempt(read, data, faults):
    """Read bytes; keep them if they end in an error that is not ours, and return its name."""
    from skol_rnn.errors import DataError

    try:
        read(data)
    except DataError:
        return "refused"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{type(error).__name__}-{Path(where.filename).stem}-{where.lineno}"
        (faults / name).write_bytes(data)
        return name
    return "read"


def seeds(corpus, form, folder):
    """Copy the files of a format to one folder, as the fuzzer wants them."""
    ending = FORMATS[form].rpartition(".")[2]
    if form == "parquet":
        import pandas as pd

        rows = {"doc_id": ["a", "a", "b"], "line_number": [0, 1, 0], "value": ["one", "two", "three"]}
        for name, more in (("lines", {}), ("labels", {"label": ["A", None, "B"]}), ("numbers", {"value": [1, 2, 3]})):
            pd.DataFrame(rows | more).to_parquet(folder / name, compression=None)
    for number, file in enumerate(sorted(corpus.rglob("*"))):
        if file.is_file() and (file.suffix == f".{ending}" or form == "jsonl" and file.suffix == ".json"):
            shutil.copy(file, folder / f"{number}-{file.name}")


def main():
    """Fuzz until all runs are done; the fuzzer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of files to begin with")
    parser.add_argument("--faults", type=Path, required=True, help="folder for inputs that end in a foreign error")
    parser.add_argument("--tables", action="store_true", help="inputs choose the columns of a Parquet file")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["skol_rnn"]):
        import skol_rnn.data.formats.table
        import skol_rnn.data.reading  # noqa: F401
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    grown = Path(tempfile.mkdtemp())
    seeds(given.corpus, given.format, grown)
    given.faults.mkdir(parents=True, exist_ok=True)
    read = reading(given.format, folder)
    warnings.simplefilter("ignore")
    options = [f"-runs={given.runs}", f"-max_len={_LARGEST}", f"-seed={given.seed}", "-print_final_stats=1"]
    options += ["-rss_limit_mb=4096", "-timeout=30", f"-artifact_prefix={given.faults}/"]
    made = as_table if given.tables else bytes
    atheris.Setup([sys.argv[0], *options, str(grown)], lambda data: attempt(read, made(data), given.faults) and None)
    with contextlib.suppress(KeyboardInterrupt):
        atheris.Fuzz()


if __name__ == "__main__":
    main()
