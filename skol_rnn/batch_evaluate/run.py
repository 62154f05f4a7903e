"""The function ``batch_evaluate``: run the cells that are not finished, and write the table and the page."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from skol_rnn.batch_evaluate.cells import names
from skol_rnn.batch_evaluate.config import Cell, read_batch
from skol_rnn.batch_evaluate.page import require_jinja
from skol_rnn.batch_evaluate.result import BatchResult
from skol_rnn.batch_evaluate.store import read_finished, write_finished
from skol_rnn.batch_evaluate.workers import Outcome, cores, run_cells
from skol_rnn.labels import printable


def batch_evaluate(
    config: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    predictions: bool = False,
    progress: bool = True,
) -> BatchResult:
    """Train and score several settings on several data sets with several seeds.

    Each combination of a setting, a data set and a seed is a cell.  A finished cell is kept as a JSON file in
    ``out/cells``, named by a hash of the setting, the contents of the documents, the seed and the version of this
    package: a stopped run continues where it ended, and a changed configuration runs only what is new.  A cell that
    fails is a row with its error, and runs again the next time.

    Parameters
    ----------
    config : path, or dict
        TOML file, or the same as a dict, with three keys.  ``settings`` holds by name the parameters of
        ``RNNSkolModel``, or the path of a saved model (``model = "PATH"``), or in Python any object with
        ``fit(table, labels, seed)`` and ``predict(table)`` or ``predict_proba(table)`` (``seeded = False`` if the seed
        has no effect; change an attribute or the name of its class where its code changes).  ``data`` holds by name
        ``train``, ``test`` (paths, globs or lists of these), ``labels``, ``other`` and ``important``.  ``seeds`` is a
        list of numbers, [0] if not given.  Paths in a file are relative to its folder.
    out : path, optional
        Folder for ``cells``, ``table.csv``, ``table.parquet`` (with pyarrow) and ``index.html``; by default the path of
        the file without ending, or "batch" for a dict.
    jobs : int, optional
        Number of processes; half the cores if not given.  0 runs the cells in this process, which classes defined in a
        notebook need.
    predictions : bool, default False
        Whether to keep the predicted label of each row as CSV in ``out/cells``.
    progress : bool, default True
        Whether to show a progress bar and a line for each cell on standard error.

    Returns
    -------
    BatchResult
        All scores, one row a cell.

    Raises
    ------
    DataError
        If the configuration has an unknown key, a path does not exist, or a file cannot be read.
    ValueError
        If ``jobs`` is negative.
    ImportError
        If jinja2 is missing.

    Notes
    -----
    A configuration file::

        seeds = [0, 1, 2]

        [settings.default]

        [settings."smoothed weights"]
        class_weights = "smoothed"

        [settings."last year's model"]
        model = "models/2025.skol"

        [data.journals]
        train = "corpus/train"
        test = ["corpus/dev", "more/*.ann"]
        labels = ["Nomenclature", "Description"]
        other = "Misc"
        important = ["Nomenclature", "Description"]

    Examples
    --------
    >>> import tempfile
    >>> from skol_rnn import batch_evaluate
    >>> from skol_rnn.datasets import sample_corpus
    >>> class Constant:
    ...     seeded = False
    ...     def fit(self, table, labels, seed):
    ...         self.label = table["label"].mode()[0]
    ...     def predict(self, table):
    ...         return [self.label] * len(table)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = sample_corpus(folder)
    ...     data = {"sample": {"train": corpus / "train", "test": corpus / "test"}}
    ...     config = {"settings": {"most frequent": Constant()}, "data": data}
    ...     result = batch_evaluate(config, f"{folder}/out", jobs=0, progress=False)
    >>> result.table[["setting", "data", "important_f1"]].values.tolist()
    [['most frequent', 'sample', 0.0]]
    """
    require_jinja()
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 0):
        raise ValueError(f"jobs must be a whole number of at least 0, but is {jobs!r}.")
    batch = read_batch(config)
    cells = batch.cells()
    if out is None:
        out = "batch" if isinstance(config, Mapping) else Path(config).with_suffix("")
    folder = Path(out) / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    records = read_finished(folder, cells, predictions)
    todo = list({cell.key: cell for cell in cells if cell.key not in records}.values())
    if jobs is None:
        jobs = max(cores() // 2, 1)
    with (
        _reporter(cells, todo, progress) as report,
        contextlib.closing(run_cells(todo, jobs, folder, predictions)) as ran,
    ):
        for cell, outcome in ran:
            if isinstance(outcome, dict):
                write_finished(folder, cell, outcome)
            records[cell.key] = outcome if isinstance(outcome, dict) else {**names(cell), "error": outcome}
            report(cell, outcome)
    # Records of this run pass through JSON like those of an earlier one: both give the same table.
    records |= read_finished(folder, cells)
    result = BatchResult.of(batch, [records[cell.key] | names(cell) for cell in cells], Path(out))
    result.write()
    return result


@contextlib.contextmanager
def _reporter(cells: list[Cell], todo: list[Cell], progress: bool) -> Any:
    """Show a bar and a line for each cell, or nothing."""
    if not progress:
        yield lambda cell, outcome: None
        return
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    if len(todo) < len(cells):
        console.print(f"{len(cells) - len(todo)} of {len(cells)} cells are finished already.")
    with Progress(*columns, console=console, transient=True, disable=not todo or console.is_jupyter) as bar:
        task = bar.add_task("Cells", total=len(cells), completed=len(cells) - len(todo))

        def report(cell: Cell, outcome: Outcome) -> None:
            bar.advance(task)
            done = int(bar.tasks[0].completed)
            console.print(Text(printable(f"{done}/{len(cells)}  {cell}: {_line(outcome)}")), soft_wrap=True)

        yield report


def _line(outcome: Outcome) -> str:
    if not isinstance(outcome, dict):
        return f"failed: {outcome}"
    seconds = (outcome["train_seconds"] or 0) + outcome["predict_seconds"]
    return f"important F1 {outcome['scores']['important_f1']:.4f}, {seconds:.0f} s"
