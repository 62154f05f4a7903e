"""``skol-rnn tune``: search class weights, loss and decision, and write a configuration for ``train``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from skol_rnn.cli.common import (
    ConfigFile,
    InputFormat,
    Json,
    Labels,
    Other,
    Paths,
    Strict,
    check_labels,
    names,
    option,
    print_json,
    quiet_tensorflow,
    read,
    results_on_stderr,
    say,
)
from skol_rnn.cli.train import read_settings

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus
    from skol_rnn.tuning.result import TrialReport, TuningResult

_SHOWN = 5  # trials in the final table
_DECISIONS = ("argmax", "corrected", "tuned")
_ARGUMENTS = {
    "labels": "labels",
    "other": "other",
    "important": "important",
    "monitor": "metric",
    "random_state": "seed",
}
"""Settings that are arguments of the search, with their name there."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tune)


def tune(
    paths: Paths,
    out: Annotated[Path, typer.Option(help="TOML file for the best settings; skol-rnn train --config reads it.")],
    labels: Labels = None,
    other: Other = None,
    important: Annotated[
        str | None, option("Labels that count, A,B; all but the most frequent if not given.", metavar="A,B")
    ] = None,
    metric: Annotated[
        str | None, option("Score to maximise: important_f1 (the default), macro_f1, accuracy or f1/Label.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Number of trials, including those in --storage.")] = 20,
    folds: Annotated[int, typer.Option(help="Folds of whole documents.")] = 3,
    groups_from_folder: Annotated[
        bool, typer.Option("--groups-from-folder", help="Keep the documents of a folder (a volume) in one fold.")
    ] = False,
    search: Annotated[str, typer.Option(help="What to search: alpha or weights, and loss.")] = "alpha,loss",
    epochs: Annotated[int | None, option("Largest number of passes over the training windows.")] = None,
    config: ConfigFile = None,
    storage: Annotated[
        Path | None, option("SQLite file of the trials, from which a search resumes; next to --out if not given.")
    ] = None,
    curves: Annotated[Path | None, option("File for precision-recall curves, .png or .svg.")] = None,
    seed: Annotated[int | None, option("Seed of folds, networks and trials (default: 0).")] = None,
    input_format: InputFormat = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Search class weights, loss and decision by cross-validation over documents."""
    from skol_rnn.data.inputs import labelled_table
    from skol_rnn.persistence.figures import check_picture

    if curves:
        check_picture(curves)
    given = {"labels": names(labels), "other": other, "important": important, "monitor": metric}
    settings = read_settings(config, {**given, "random_state": seed, "epochs": epochs})
    arguments = {argument: settings.pop(name) for name, argument in _ARGUMENTS.items() if name in settings}
    corpus = read(paths, input_format, strict)
    check_labels(labelled_table(corpus)["label"], arguments.get("labels"), arguments.get("other"))
    if groups_from_folder:
        arguments["groups"] = folders(corpus)
    storage = out.with_suffix(".sqlite") if storage is None else storage
    arguments |= {"n_trials": trials, "folds": folds, "search": names(search), "settings": settings}
    with results_on_stderr(json):
        result = _search(corpus, trials, storage, arguments)
    result.save_config(out)
    if curves:
        result.save_curves(curves)
    if json:
        print_json(_as_json(result, out, curves))
        return
    Console(highlight=False).print(_best_trials(result))
    say(f"Saved the settings of trial {result.best_number} to {out}")
    say(f"Saved all trials to {storage}")
    if curves:
        say(f"Saved the curves to {curves}")
    say(f"Next: skol-rnn train {' '.join(paths)} --config {out} --out model")


def folders(corpus: Corpus) -> dict[str, str]:
    """Name the folder of each document."""
    result = {}
    for document in corpus:
        folder, inside = Path(document.path or "").parent, PurePosixPath(document.doc_id).parent
        # Documents of one table share its path: their names have the folder.
        result[document.doc_id] = str(folder if folder.as_posix().endswith(inside.as_posix()) else folder / inside)
    return result


def _search(corpus: Corpus, trials: int, storage: Path, arguments: dict[str, Any]) -> TuningResult:
    with quiet_tensorflow():
        from skol_rnn.tuning.search import tune_class_weights
    try:
        with _progress(trials) as callback:
            return tune_class_weights(corpus, **arguments, storage=storage, callback=callback)
    except KeyboardInterrupt:
        say(f"Stopped. Finished trials are saved in {storage}; run the same command again to resume.")
        raise


@contextlib.contextmanager
def _progress(trials: int) -> Iterator[Callable[[TrialReport], None]]:
    """Print a line after each trial, and in a terminal show a progress bar too."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False)
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=trials)

        def callback(report: TrialReport) -> None:
            bar.update(task, completed=report.finished)
            console.print(f"{report.finished}/{trials}  {report}")

        yield callback


def _best_trials(result: TuningResult) -> Table:
    finished = result.trials.dropna(subset="score").nlargest(_SHOWN, "score", keep="first")
    searched = [str(name) for name in result.trials if name not in ("number", "state", "score", *_DECISIONS)]
    table = Table("trial", *searched, *_DECISIONS, title=f"Best trials by cross-validated {result.metric}")
    for row in finished.to_dict("records"):
        parameters = ["" if row[name] != row[name] else _short(row[name]) for name in searched]
        table.add_row(str(row["number"]), *parameters, *[f"{row[name]:.4f}" for name in _DECISIONS])
    return table


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _as_json(result: TuningResult, out: Path, curves: Path | None) -> dict[str, Any]:
    return {
        "config": str(out),
        "curves": curves and str(curves),
        "metric": result.metric,
        "score": result.score,
        "best_trial": result.best_number,
        "settings": result.settings,
        "trials": result.trials.to_dict("records"),
    }
