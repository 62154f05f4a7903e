"""The log of training: a bar and one line an epoch, in a notebook one table; nothing at verbosity 0."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skol_rnn.labels import printable
from skol_rnn.report.notebook import NotebookProgress, in_notebook

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation


MOST_LABELS = 8
"""Labels whose figures are logged one by one; of more, the log of verbosity 1 has a line."""


class TrainingLog:
    """Logs a training run on standard output."""

    words: Callable[[str], str] = staticmethod(str)
    """What turns arguments of Python in a message into those of the caller's interface."""

    def __init__(self, verbosity: int = 1) -> None:
        self.verbosity = verbosity
        # soft_wrap: a message stays one line in a narrow terminal, so that logs can be searched.
        self.console = Console(quiet=verbosity < 1, soft_wrap=True, highlight=False, markup=False)
        self._bar: Progress | None = None
        self._table: NotebookProgress | None = None
        self._started = 0.0

    def say(self, message: str) -> None:
        """Print one line."""
        self.console.print(printable(self.words(message), keep="\t\n"))

    def warn(self, message: str) -> None:
        """Print one line in yellow."""
        self.console.print(printable(self.words(message), keep="\t\n"), style="yellow")

    def start_epoch(self, epoch: int, epochs: int, steps: int | None) -> None:
        """Start the progress bar of an epoch."""
        self._started = time.monotonic()
        self._epoch, self._epochs, self._steps, self._done = epoch, epochs, steps or 1, 0
        if self.verbosity and in_notebook():
            self._table = self._table or NotebookProgress()
            return
        if not self.console.is_terminal or self.verbosity < 1:
            return
        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
        )
        self._bar = Progress(*columns, console=self.console, transient=True)
        self._task = self._bar.add_task("", total=steps, epoch=epoch, epochs=epochs, loss=float("nan"))
        self._bar.start()

    def step(self, loss: float) -> None:
        """Advance the bar by a batch."""
        self._done += 1
        if self._table:
            self._table.step(self._epoch, self._epochs, self._done / self._steps, loss)
        if self._bar:
            self._bar.update(self._task, advance=1, loss=loss)

    def end_epoch(self, epoch: int, scores: dict[str, float], evaluation: Evaluation | None) -> None:
        """Remove the bar and print the epoch's line; in a notebook add a row to the table."""
        self.close()
        if self._table:
            self._table.end_epoch(scores)
        else:
            self.say(self._line(epoch, scores, evaluation))
        if evaluation is not None and self.verbosity > 1:
            for sentence in evaluation.warnings():
                self.warn(sentence)

    def _line(self, epoch: int, scores: dict[str, float], evaluation: Evaluation | None) -> str:
        parts = [f"epoch {epoch}", f"loss {scores['loss']:.4f}"]
        if evaluation is not None:
            f1 = dict(zip(evaluation.labels, evaluation.f1, strict=True))
            support = dict(zip(evaluation.labels, evaluation.support, strict=True))
            # A label without validation lines has neither F1 nor loss.
            important = [name for name in evaluation.important if support[name]]
            shown = important if len(evaluation.important) <= MOST_LABELS else ()
            parts += [f"{name} F1 {f1[name]:.4f} loss {scores[f'val_loss/{name}']:.4f}" for name in shown]
            if "val_fragment_f1" in scores:
                parts.append(f"fragment F1 {scores['val_fragment_f1']:.4f}")
            parts += [f"important F1 {evaluation.important_f1:.4f}", f"macro F1 {evaluation.macro_f1:.4f}"]
        return "  ".join([*parts, f"{time.monotonic() - self._started:.0f} s"])

    def end(self, best_epoch: int) -> None:
        """Print which epoch was kept; the next training has a table of its own."""
        self._table = None
        if best_epoch:
            self.say(f"Kept the weights of epoch {best_epoch}, the best on the validation set.")

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self._bar:
            self._bar.stop()
            self._bar = None
        if self._table:
            self._table.close()
