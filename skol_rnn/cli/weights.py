"""``skol-rnn weights``: how rare each label is, what each strategy would weigh, and weights frozen to a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from skol_rnn.cli.common import InputFormat, Json, Overlap, names, print_json, read, say

if TYPE_CHECKING:
    import pandas as pd

    from skol_rnn.data.document import Corpus
    from skol_rnn.imbalance.class_weights import ClassWeights

Number = float | None
Weights = dict[str, dict[str, float]]
SAVED = "smoothed"
"""The strategy whose weights are saved where none is chosen."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(weights)


def _option(text: str) -> Any:
    return typer.Option(help=text, show_default=False)


def weights(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Annotated files, folders or globs; or one table of counts, .json or .csv.", show_default=False
        ),
    ],
    labels: Annotated[str | None, _option("Labels to keep, A,B,C.")] = None,
    other: Annotated[str, typer.Option(help="Label of the lines whose own is not kept.")] = "Misc",
    strategy: Annotated[
        str | None, _option("Only smoothed, inverse, balanced, effective, log or aggressive weights.")
    ] = None,
    alpha: Annotated[Number, _option("Exponent of smoothed weights (default: 0.5).")] = None,
    beta: Annotated[Number, _option("Of effective weights, nearer 1 is steeper (default: 0.999).")] = None,
    max_ratio: Annotated[Number, _option("Largest weight, in multiples of the smallest.")] = None,
    save: Annotated[
        Path | None, _option("Freeze the weights of --strategy (smoothed if not given) to a .json, .npz or .pt file.")
    ] = None,
    chart: Annotated[bool, typer.Option("--chart", help="Draw the counts as bars on a log axis.")] = False,
    chart_file: Annotated[Path | None, _option("Draw the same to a .png or .svg file.")] = None,
    unit: Annotated[str, typer.Option(help="What is counted in documents: line, or token.")] = "line",
    overlap: Overlap = "error",
    input_format: InputFormat = None,
    json: Json = False,
) -> None:
    """Count the labels and show the class weights that each strategy would give."""
    from skol_rnn.evaluation.findings import count_findings
    from skol_rnn.imbalance.chart import distribution_chart, save_distribution_chart
    from skol_rnn.imbalance.counts import distribution_json, is_bio
    from skol_rnn.imbalance.strategies import DEFAULT_ALPHA, DEFAULT_BETA, STRATEGIES

    _check_files(save, chart_file)
    if json and chart:
        raise typer.BadParameter("--json prints nothing but JSON: leave out --chart, or take --chart-file.")
    _check_options_used(strategy, {"alpha": alpha, "beta": beta})
    alpha, beta = DEFAULT_ALPHA if alpha is None else alpha, DEFAULT_BETA if beta is None else beta
    options = {"alpha": alpha, "beta": beta, "max_ratio": max_ratio}
    counts = _counts_file(paths, input_format)
    keep = names(labels)
    if counts:
        frame = _of_counts(counts, keep, other)
    else:
        frame = _of_documents(read(paths, input_format, unit=unit, overlap=overlap), keep, other)
    unit = "token" if is_bio(frame) else unit
    warnings = [str(finding) for finding in count_findings(frame["label"], frame["count"], frame["documents"], unit)]
    shown = _weights(frame, [strategy] if strategy else list(STRATEGIES), options)
    if save:
        _freeze(frame, strategy or SAVED, options).save(save)
    if chart_file:
        save_distribution_chart(frame, chart_file, unit)
    if json:
        kept = {"saved": save and str(save), "chart": chart_file and str(chart_file)}
        print_json(
            {**distribution_json(frame, unit), "warnings": warnings, "weights": shown, "options": options, **kept}
        )
    else:
        console = Console(highlight=False)
        _print(console, frame, shown, unit)
        if strategy:
            console.print(_formula(strategy, options), markup=False, soft_wrap=True)
        if chart:
            console.print(distribution_chart(frame))
    for sentence in warnings:
        say(f"warning: {sentence}")
    _tell_files(f"{strategy or SAVED} weights of {len(frame)} labels", save, chart_file)


def _tell_files(what: str, save: Path | None, chart_file: Path | None) -> None:
    if save:
        say(f"Saved {what} to {save}: train with --weights {save}")
    if chart_file:
        say(f"Saved the chart to {chart_file}")


def _check_files(save: Path | None, chart_file: Path | None) -> None:
    from skol_rnn.imbalance.class_weights_file import check_ending
    from skol_rnn.persistence.figures import check_picture

    if save:
        check_ending(save)
    if chart_file:
        check_picture(chart_file)


def _check_options_used(strategy: str | None, given: dict[str, float | None]) -> None:
    """Refuse an option that would be without effect."""
    from skol_rnn.imbalance.strategies import STRATEGIES, check_strategy

    if strategy is None:
        return
    used = check_strategy(strategy).option
    for name, value in given.items():
        if value is not None and name != used:
            user = next(other for other, its in STRATEGIES.items() if its.option == name)
            raise typer.BadParameter(f"--{name} does nothing with --strategy {strategy}: it is for {user}.")


def _counts_file(paths: list[str], input_format: str | None) -> str | None:
    from skol_rnn.imbalance.counts_file import is_counts_file

    tables = [path for path in paths if input_format is None and is_counts_file(path)]
    if tables and len(paths) > 1:
        raise typer.BadParameter(f"{tables[0]} is a table of counts: give it alone.")
    return tables[0] if tables else None


def _of_counts(path: str, keep: list[str] | None, other: str) -> pd.DataFrame:
    from skol_rnn.imbalance.counts import label_distribution
    from skol_rnn.imbalance.counts_file import read_counts

    counts = read_counts(path)
    if keep:
        folded: Counter[str] = Counter()
        for name, label in zip(counts, _kept(list(counts), keep, other, path), strict=True):
            folded[label] += counts[name]
        counts = dict(folded)
    return label_distribution(counts)


def _of_documents(corpus: Corpus, keep: list[str] | None, other: str) -> pd.DataFrame:
    from skol_rnn.data.inputs import labelled_table
    from skol_rnn.imbalance.counts import label_distribution

    table = labelled_table(corpus, unit=corpus.unit)
    column = table["label"].tolist()
    return label_distribution(_kept(column, keep, other, "No document") if keep else column, table["doc_id"])


def _kept(column: list[Any], keep: list[str], other: str, where: str) -> list[str]:
    from skol_rnn.data.table import collapse_labels
    from skol_rnn.errors import DataError
    from skol_rnn.labels import suggestion

    found = {label for label in column if isinstance(label, str)}
    for label in keep:
        if label not in found and label != other:
            told = f"{where} has" if where == "No document" else f"{where} does not have"
            raise DataError(f"{told} the label {label!r} of --labels.{suggestion(label, found)}")
    return collapse_labels(column, keep, other)


def _weights(frame: pd.DataFrame, strategies: list[str], options: dict[str, Any]) -> Weights:
    from skol_rnn.imbalance.strategies import compare_strategies

    found = compare_strategies(frame["count"].to_numpy(), **options)
    return {name: dict(zip(frame["label"], found[name].tolist(), strict=True)) for name in strategies}


def _freeze(frame: pd.DataFrame, strategy: str, options: dict[str, Any]) -> ClassWeights:
    from skol_rnn.imbalance.class_weights import ClassWeights

    return ClassWeights.from_counts(strategy, frame["label"].tolist(), frame["count"].tolist(), **options)


def _print(console: Console, frame: pd.DataFrame, shown: Weights, unit: str) -> None:
    from skol_rnn.imbalance.counts import imbalance, is_bio
    from skol_rnn.imbalance.tables import distribution_table, table_width, type_table, weight_tables

    whole = distribution_table(frame, shown, unit)
    fits = table_width(whole) <= console.width
    console.print(whole if fits else distribution_table(frame, unit=unit))
    found = imbalance(frame)
    ratio = f"{found.ratio:,.1f} : 1" if found.rest else "there is no rest"
    told = f"{found.majority} against the rest: {found.lines:,} : {found.rest:,} {unit}s ({ratio})"
    console.print(told, markup=False, soft_wrap=True)
    if is_bio(frame):
        console.print(type_table(frame))
    for table in [] if fits else weight_tables(frame["label"], shown, console.width):
        console.print(table)


def _formula(strategy: str, options: dict[str, Any]) -> str:
    from skol_rnn.imbalance.strategies import STRATEGIES

    how = STRATEGIES[strategy]
    value = f", {how.option} = {options[how.option]:g}" if how.option else ""
    cap = f", at most {options['max_ratio']:g} : 1" if options["max_ratio"] is not None else ""
    return f"{strategy}: {how.notation}{value}{cap} ({how.source})"
