"""``skol-rnn tune``: search class weights, loss and decision across documents, and write what ``train`` takes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from skol_rnn.cli.common import InputFormat, Json, Paths, Strict, names, print_json, quiet_tensorflow, read, say
from skol_rnn.cli.train import check_labels, read_config

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus
    from skol_rnn.tuning.result import TrialReport, TuningResult

_SHOWN = 5  # trials in the table at the end
_NO_SETTINGS = {
    "labels": "labels",
    "other": "other",
    "important": "important",
    "monitor": "metric",
    "random_state": "seed",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tune)


def _option(text: str) -> Any:
    return typer.Option(help=text, show_default=False)


def tune(
    paths: Paths,
    out: Annotated[Path, typer.Option(help="TOML file for the best settings, as skol-rnn train --config takes it.")],
    labels: Annotated[str | None, _option("Labels to learn, A,B,C; all that occur if not given.")] = None,
    other: Annotated[str | None, _option("Label of all other lines, say Misc.")] = None,
    important: Annotated[str | None, _option("Labels that count, A,B; all but the most frequent if not given.")] = None,
    metric: Annotated[
        str | None, _option("Score to maximise: important_f1 (the default), macro_f1, accuracy or f1/Label.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials in all; those in --storage count.")] = 20,
    folds: Annotated[int, typer.Option(help="Folds of whole documents.")] = 3,
    groups_from_folder: Annotated[
        bool, typer.Option("--groups-from-folder", help="Keep the documents of a folder (a volume) in one fold.")
    ] = False,
    search: Annotated[str, typer.Option(help="What to vary: alpha or weights, and loss.")] = "alpha,loss",
    epochs: Annotated[int | None, _option("Passes over the training windows, at most (default: the preset's).")] = None,
    config: Annotated[Path | None, _option("TOML file of settings that all trials share.")] = None,
    storage: Annotated[
        Path | None, _option("SQLite file of the trials, from which a run goes on (default: beside --out).")
    ] = None,
    curves: Annotated[Path | None, _option("Picture of precision against recall, .png or .svg.")] = None,
    seed: Annotated[int | None, _option("Seed of folds, networks and draws (default: 0).")] = None,
    input_format: InputFormat = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Search class weights, loss and decision by cross-validation over documents."""
    from skol_rnn.data.inputs import labelled_table
    from skol_rnn.persistence.figures import check_figure_path

    if curves:
        check_figure_path(curves)
    settings = read_config(config)
    given = {"labels": names(labels), "other": other, "important": names(important), "metric": metric, "seed": seed}
    arguments = {argument: settings.pop(name) for name, argument in _NO_SETTINGS.items() if name in settings}
    arguments |= {name: value for name, value in given.items() if value is not None}
    if epochs is not None:
        settings["epochs"] = epochs
    corpus = read(paths, input_format, strict)
    check_labels(labelled_table(corpus)["label"], arguments.get("labels"), arguments.get("other"))
    if groups_from_folder:
        arguments["groups"] = folders(corpus)
    kept = out.with_suffix(".sqlite") if storage is None else storage
    options = {"n_trials": trials, "folds": folds, "search": names(search), "settings": settings, "storage": kept}
    with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():
        result = _searched(corpus, {**arguments, **options}, trials, kept)
    result.save_config(out)
    if curves:
        result.save_curves(curves)
    if json:
        print_json(_as_json(result, out, curves))
        return
    Console(highlight=False).print(_best_trials(result))
    say(f"Saved the settings of trial {result.best_number} to {out}; trials are kept in {kept}.")
    if curves:
        say(f"Saved the curves to {curves}")
    say(f"Now: skol-rnn train {' '.join(paths)} --config {out} --out model")


def folders(corpus: Corpus) -> dict[str, str]:
    """Name the folder of each document."""
    result = {}
    for document in corpus:
        folder, inside = Path(document.path or "").parent, PurePosixPath(document.doc_id).parent
        # A table of many documents is one file: their names tell the folders apart.
        result[document.doc_id] = str(folder if folder.as_posix().endswith(inside.as_posix()) else folder / inside)
    return result


def _searched(corpus: Corpus, options: dict[str, Any], trials: int, kept: Path) -> TuningResult:
    with quiet_tensorflow():
        from skol_rnn.tuning.search import tune_class_weights
    try:
        with _progress(trials) as told:
            return tune_class_weights(corpus, **options, told=told)
    except KeyboardInterrupt:
        say(f"Stopped: finished trials are in {kept}, and the same command goes on with the next.")
        raise


@contextlib.contextmanager
def _progress(trials: int) -> Iterator[Any]:
    """Show a bar in a terminal; print a line a trial, there and elsewhere."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False)
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=trials)

        def told(report: TrialReport) -> None:
            bar.update(task, completed=report.finished)
            console.print(f"{report.finished}/{trials}  {report}")

        yield told


def _best_trials(result: TuningResult) -> Table:
    finished = result.trials.dropna(subset="score").nlargest(_SHOWN, "score", keep="first")
    drawn = [str(name) for name in result.trials if name not in _FIXED_COLUMNS]
    table = Table("trial", *drawn, "argmax", "corrected", "tuned", title=f"Best trials by {result.metric}, out of fold")
    for row in finished.to_dict("records"):
        parameters = ["" if row[name] != row[name] else _short(row[name]) for name in drawn]
        scores = [f"{row[name]:.4f}" for name in ("argmax", "corrected", "tuned")]
        table.add_row(str(row["number"]), *parameters, *scores)
    return table


_FIXED_COLUMNS = ("number", "state", "score", "argmax", "corrected", "tuned")


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
