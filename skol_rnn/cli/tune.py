"""``skol-rnn tune``: search class weights, loss and decision, and write a configuration for ``train``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from skol_rnn.cli import options
from skol_rnn.cli.common import (
    check_labels,
    fits,
    folded,
    interrupted,
    names,
    print_json,
    read,
    results_on_stderr,
    same_command,
    say,
)
from skol_rnn.cli.options import option
from skol_rnn.cli.train import read_settings
from skol_rnn.data.document import Corpus
from skol_rnn.frameworks import choose_backend
from skol_rnn.labels import printable
from skol_rnn.persistence.figures import check_figure_path
from skol_rnn.tuning.storage import require_libraries

if TYPE_CHECKING:
    from skol_rnn.tuning.result import TrialReport, TuningResult

_SHOWN = 5  # trials in the final table
_DECISIONS = ("argmax", "corrected", "tuned")
_ARGUMENTS = {**{name: name for name in ("labels", "other", "important")}, "monitor": "metric", "random_state": "seed"}
"""Settings that are arguments of the search, with their name there."""


def tune(
    paths: options.Paths,
    out: Annotated[
        Path,
        typer.Option(
            readable=False,
            help="TOML file for the best settings; skol-rnn train --config reads it.",
            callback=options.output_file("--out", "best.toml", standard=False),
        ),
    ],
    labels: options.Labels = None,
    other: options.Other = None,
    important: Annotated[options.Text, option("Labels that count; all but the most frequent if not given.")] = None,
    metric: Annotated[options.Text, option("important_f1 (if not given), macro_f1, accuracy or f1/Label.")] = None,
    trials: Annotated[
        int,
        typer.Option(help="Number of trials, including those in --storage.", callback=options.at_least("--trials", 1)),
    ] = 20,
    folds: Annotated[int, typer.Option(help="Folds of whole documents.", callback=options.at_least("--folds", 2))] = 3,
    by_folder: Annotated[bool, typer.Option("--groups-from-folder", help="Keep a folder in one fold.")] = False,
    search: Annotated[str, typer.Option(help="What to search: alpha or weights, and loss.")] = "alpha,loss",
    epochs: Annotated[int | None, option("Largest number of passes over the training windows.")] = None,
    config: options.ConfigFile = None,
    storage: Annotated[
        options.File,
        option(
            "SQLite file of the trials; next to --out if not given.",
            callback=options.output_file("--storage", "best.sqlite", standard=False),
        ),
    ] = None,
    curves: Annotated[
        options.File,
        option(
            "File for precision-recall curves, .png or .svg.",
            callback=options.output_file("--curves", "curves.png", standard=False),
        ),
    ] = None,
    seed: Annotated[
        int | None, option("Seed of folds, networks and trials (default: 0).", callback=options.seed)
    ] = None,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    json: options.Json = False,
) -> None:
    """Search class weights, loss and decision by cross-validation over documents."""
    from skol_rnn.data.inputs import labelled_table

    require_libraries()
    choose_backend()
    if curves:
        check_figure_path(curves)
    given = {"labels": names(labels), "other": other, "important": important, "monitor": metric}
    settings = read_settings(config, {**given, "random_state": seed, "epochs": epochs})
    arguments = {argument: settings.pop(name) for name, argument in _ARGUMENTS.items() if name in settings}
    corpus = read(paths, input_format, strict)
    check_labels(labelled_table(corpus)["label"], arguments.get("labels"), arguments.get("other"))
    if by_folder:
        arguments["groups"] = folders(corpus)
    storage = out.with_suffix(".sqlite") if storage is None else storage
    arguments |= {"n_trials": trials, "folds": folds, "search": names(search), "settings": settings}
    with results_on_stderr(json):
        result = _search(corpus, trials, storage, arguments)
    result.save_config(out)
    if curves:
        result.save_curves(curves)
    if json:
        found = {"metric": result.metric, "score": result.score, "best_trial": result.best_number}
        files = {"config": str(out), "curves": curves and str(curves)}
        print_json({**files, **found, "settings": result.settings, "trials": result.trials.to_dict("records")})
        return
    console = Console(highlight=False)
    table = _best_trials(result)
    console.print(table if fits(console, table) else _best_trials(result, together=True))
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
    from skol_rnn.tuning.search import tune_class_weights

    def callback(report: TrialReport) -> None:
        typer.echo(printable(f"{report.finished}/{trials}  {report}"))

    with interrupted(lambda: f"{storage} holds the finished trials; the same command continues.\n{same_command()}"):
        return tune_class_weights(corpus, **arguments, storage=storage, callback=callback)


def _best_trials(result: TuningResult, together: bool = False) -> Table:
    """Return the best trials, with what was searched in a column each or all together in one."""
    finished = result.trials.dropna(subset="score").nlargest(_SHOWN, "score", keep="first")
    searched = [str(name) for name in result.trials if name not in ("number", "state", "score", *_DECISIONS)]
    table = Table(
        "trial",
        *([folded("settings")] if together else [escape(printable(name)) for name in searched]),
        *_DECISIONS,
        title=Text(printable(f"Best trials by cross-validated {result.metric}"), style="table.title"),
    )
    for row in finished.to_dict("records"):
        values = ["" if row[name] != row[name] else row[name] for name in searched]
        parameters = [f"{value:.3g}" if isinstance(value, float) else escape(printable(str(value))) for value in values]
        if together:
            pairs = zip(searched, parameters, strict=True)
            parameters = [", ".join(f"{escape(printable(name))} {value}" for name, value in pairs if value)]
        table.add_row(str(row["number"]), *parameters, *[f"{row[name]:.4f}" for name in _DECISIONS])
    return table
