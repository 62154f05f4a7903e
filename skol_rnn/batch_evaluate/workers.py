"""Processes that run cells one after the other; one that dies fails its cell and is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from skol_rnn.batch_evaluate.cells import run_cell
from skol_rnn.batch_evaluate.config import Cell
from skol_rnn.errors import SkolError

Outcome = dict[str, Any] | str
"""The record of a finished cell, or what went wrong."""

_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTEROP_THREADS": "1"}


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_cells(cells: Sequence[Cell], jobs: int, folder: Path, predictions: bool) -> Generator[tuple[Cell, Outcome]]:
    """Run cells in so many processes, or with 0 in this one, and yield each as it ends."""
    files = {cell.key: folder / f"{cell.key}.csv" if predictions else None for cell in cells}
    if jobs == 0:
        for cell in cells:
            yield cell, outcome(cell, files[cell.key])
        return
    for cell in cells:
        cell.setting.check_sendable()
    waiting = deque(cells)
    idle: list[_Worker] = []
    busy: dict[Any, tuple[_Worker, Cell]] = {}
    threads = max(cores() // jobs, 1)
    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                worker = idle.pop() if idle else _Worker(threads, folder / "log.txt")
                with contextlib.suppress(OSError):  # it has died: the next line finds its end of file
                    worker.pipe.send((waiting[0], files[waiting[0].key]))
                busy[worker.pipe] = worker, waiting.popleft()
            for pipe in wait(list(busy)):
                worker, cell = busy.pop(pipe)
                found = worker.receive()
                idle += [worker] if worker.process.is_alive() else []
                yield cell, found
    finally:
        for worker in (*idle, *(worker for worker, _ in busy.values())):
            worker.process.kill()


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, threads: int, log: Path) -> None:
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, log), name="skol-rnn batch")
        # Libraries read the number of threads when they are loaded, so it must be there from the start.
        with _environment({**dict.fromkeys(_THREADS, str(threads)), **_QUIET}):
            self.process.start()
        theirs.close()

    def receive(self) -> Outcome:
        """Return what the process sends, or how it ended."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            status = self.process.exitcode
            killed = " (killed, perhaps because memory ran out)" if status == -9 else ""
            return f"The process of this cell ended with status {status}{killed}."


def serve(pipe: Connection, log: Path) -> None:
    """Run the cells that arrive, until the pipe or the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C and ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with open(log, "ab", buffering=0) as file:
        sys.stdout.flush()
        for stream in (1, 2):  # libraries print to both
            os.dup2(file.fileno(), stream)
    while True:
        try:
            cell, predictions = pipe.recv()
        except EOFError:
            return
        except Exception as error:  # the object's class cannot be imported here
            traceback.print_exc()
            pipe.send(f"{type(error).__name__}: {error} (classes of a notebook need jobs=0)")
            continue
        pipe.send(outcome(cell, predictions))


def outcome(cell: Cell, predictions: Path | None) -> Outcome:
    """Run a cell; an error becomes its sentence."""
    try:
        return run_cell(cell, predictions)
    except Exception as error:
        if multiprocessing.parent_process() is not None:
            print(f"\n{cell}", file=sys.stderr)  # noqa: T201  # into the log
            traceback.print_exc()
        message = str(error) or "no message"
        return message if isinstance(error, (SkolError, ValueError)) else f"{type(error).__name__}: {message}"


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Add variables for the processes started meanwhile; the user's own values stay."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
