"""``skol-rnn weights``: count the labels, show the class weights of each strategy, and save weights to a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from skol_rnn.cli import options
from skol_rnn.cli.common import check_labels, in_options, names, print_json, read, say
from skol_rnn.cli.options import option
from skol_rnn.evaluation.findings import count_findings
from skol_rnn.imbalance.class_weights import ClassWeights, check_ending
from skol_rnn.imbalance.strategies import (
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    STRATEGIES,
    compare_strategies,
    format_strategy,
    parse_strategy,
)
from skol_rnn.labels import plural, printable
from skol_rnn.persistence.figures import check_figure_path

if TYPE_CHECKING:
    import pandas as pd

SAVED = "smoothed"  # the strategy that --save uses without --strategy
Number = float | None
_NAMES = ", ".join(STRATEGIES)


def weights(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Annotated documents, or one .json or .csv table of counts; - is standard input.", metavar="PATHS"
        ),
    ],
    labels: options.Keep = None,
    other: options.Rest = "Misc",
    strategy: Annotated[options.Text, option(f"Show one only, with or without options: {_NAMES}.")] = None,
    alpha: Annotated[Number, option(f"Exponent of smoothed weights; {DEFAULT_ALPHA} if not given.")] = None,
    beta: Annotated[Number, option(f"Beta of effective weights; {DEFAULT_BETA} if not given.")] = None,
    max_ratio: Annotated[Number, option("Largest weight, in multiples of the smallest.")] = None,
    save: Annotated[
        options.File,
        option(
            f"Save the weights of --strategy ({SAVED}) to a .json file, or export them to .pt.",
            callback=options.output_file("--save", "weights.json", standard=False),
        ),
    ] = None,
    chart: Annotated[bool, typer.Option("--chart", help="Draw the counts as bars on a log axis.")] = False,
    chart_file: Annotated[
        options.File,
        option(
            "Draw the same to a .png or .svg file.",
            callback=options.output_file("--chart-file", "counts.png", standard=False),
        ),
    ] = None,
    unit: options.Unit = "line",
    overlap: options.Overlap = "error",
    input_format: options.InputFormat = None,
    json: options.Json = False,
) -> None:
    """Count the labels and show the class weights of each strategy."""
    from skol_rnn.imbalance.counts import distribution_json
    from skol_rnn.imbalance.tables import distribution_chart, save_distribution_chart

    given = {"alpha": DEFAULT_ALPHA if alpha is None else alpha, "beta": DEFAULT_BETA if beta is None else beta}
    name, chosen = parse_strategy(strategy or SAVED, max_ratio=max_ratio, **given)
    _check_files(save, chart_file)
    _check_options(name if strategy else None, {"alpha": alpha, "beta": beta}, json and chart)
    settings: dict[str, Any] = {**given, **chosen}
    frame, unit = _distribution(paths, names(labels), other, unit, overlap, input_format)
    counts = frame["count"].tolist()
    found = compare_strategies(counts, **settings)
    kept = [name] if strategy else list(STRATEGIES)
    shown = {one: dict(zip(frame["label"], found[one].tolist(), strict=True)) for one in kept}
    findings = count_findings(frame["label"], counts, frame["documents"], unit)
    if save:
        ClassWeights.from_counts(format_strategy(name, chosen), frame["label"].tolist(), counts).save(save)
        say(f"Saved {name} weights of {plural(len(frame), 'label')} to {save}")
        if save.suffix.lower() == ".json":
            say(f"To train with them: skol-rnn train --class-weights {save}")
    if chart_file:
        save_distribution_chart(frame, chart_file, unit)
        say(f"Saved the chart to {chart_file}")
    if json:
        warnings = [str(finding) for finding in findings]
        files = {"saved": save and str(save), "chart": chart_file and str(chart_file)}
        values = {"weights": shown, "options": settings, "warnings": warnings}
        print_json({**distribution_json(frame, unit), **files, **values})
    else:
        console = Console(highlight=False)
        _print(console, frame, shown, unit)
        if strategy:
            how = STRATEGIES[name]
            value = f", {how.option} = {settings[how.option]:g}" if how.option else ""
            cap = f", at most {settings['max_ratio']:g} : 1" if settings["max_ratio"] < float("inf") else ""
            console.print(f"{name}: {how.notation}{value}{cap} ({how.source})", markup=False, soft_wrap=True)
        if chart:
            console.print(distribution_chart(frame))
    for finding in findings:
        say(f"Warning: {in_options(str(finding))}")


def _check_files(save: Path | None, chart_file: Path | None) -> None:
    """Refuse files that cannot be written in the format of their ending."""
    if save:
        check_ending(save)
        if save.suffix.lower() == ".pt":
            options.require("torch", "--save to a .pt file needs PyTorch: pip install torch, or give a .json file.")
    if chart_file:
        check_figure_path(chart_file)


def _check_options(strategy: str | None, given: dict[str, float | None], json_and_chart: bool) -> None:
    """Refuse options that contradict each other or have no effect."""
    if json_and_chart:
        raise typer.BadParameter("--json prints nothing but JSON: leave out --chart, or take --chart-file.")
    for name, value in given.items():
        if strategy and value is not None and name != STRATEGIES[strategy].option:
            user = next(other for other, its in STRATEGIES.items() if its.option == name)
            raise typer.BadParameter(f"--{name} has no effect on {strategy} weights: it is an option of {user}.")


def _distribution(
    paths: list[str], keep: list[str] | None, other: str, unit: str, overlap: str, input_format: str | None
) -> tuple[pd.DataFrame, str]:
    """Count the labels of documents, or read one table of counts; return what was counted, too."""
    from skol_rnn.data.inputs import labelled_table
    from skol_rnn.data.table import collapse_labels
    from skol_rnn.imbalance.counts import is_bio, is_counts_file, label_distribution, read_counts

    tables = [path for path in paths if input_format is None and is_counts_file(path)]
    if tables and len(paths) > 1:
        raise typer.BadParameter(f"{tables[0]} is a table of counts: give it alone.")
    if tables:
        counts = read_counts(tables[0])
        check_labels(counts, keep, other, tables[0])
        summed: Counter[str] = Counter()
        for label, count in counts.items():
            summed[label if not keep or label in keep else other] += count
        frame = label_distribution(dict(summed))
    else:
        table = labelled_table(read(paths, input_format, unit=unit, overlap=overlap), unit=unit)
        check_labels(table["label"], keep, other)
        column = table["label"].tolist()
        frame = label_distribution(collapse_labels(column, keep, other) if keep else column, table["doc_id"])
    return frame, "token" if is_bio(frame) else unit


def _print(console: Console, frame: pd.DataFrame, shown: dict[str, dict[str, float]], unit: str) -> None:
    from skol_rnn.imbalance.counts import imbalance, is_bio
    from skol_rnn.imbalance.tables import distribution_table, type_table, weight_tables

    console.print(distribution_table(frame, unit))
    found = imbalance(frame)
    ratio = f"{found['ratio']:,.1f} : 1" if found["rest"] else "no other label"
    text = f"{found['majority']} against the rest: {found['lines']:,} : {found['rest']:,} {unit}s ({ratio})"
    console.print(printable(text), markup=False, soft_wrap=True)
    if is_bio(frame):
        console.print(type_table(frame))
    for table in weight_tables(frame["label"], shown, console.width):
        console.print(table)
