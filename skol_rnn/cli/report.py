"""``skol-rnn report`` and ``compare``: one HTML page about one or two models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skol_rnn.cli import common, options
from skol_rnn.cli.options import option
from skol_rnn.frameworks import choose_backend
from skol_rnn.labels import plural, printable

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus

Out = Annotated[
    Path,
    typer.Option(
        readable=False, help="HTML file; - is standard output.", callback=options.output_file("--out", "report.html")
    ),
]
Title = Annotated[options.Text, option("Title of the page; the models and the number of documents if not given.")]


def report(
    model: options.ModelPath,
    paths: options.Paths,
    out: Out = Path("report.html"),
    title: Title = None,
    decision: options.Decision = None,
    other: options.Counted = None,
    overlap: options.Overlap = "error",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
) -> None:
    """Write one HTML page: scores with intervals, curves, training, and the documents with their errors."""
    from skol_rnn.report.page import require_libraries

    require_libraries()
    bundle = common.open_model(model, verify_key, other)
    common.check_decision(bundle, decision)
    choose_backend()
    corpus = common.read(paths, input_format, strict, bundle.state["parameters"].get("unit", "line"), overlap)
    common.check_scored(corpus, bundle, required=False)
    with common.predicting(common.load(bundle, decision)) as trained:
        predicted = trained.predicted(corpus)
    _write(trained.report(predicted, title=title or page_title(model, corpus)), out)


def compare(
    first: Annotated[Path, typer.Argument(readable=False, help="A saved model.", show_default=False, metavar="FIRST")],
    second: Annotated[
        Path, typer.Argument(readable=False, help="Another saved model.", show_default=False, metavar="SECOND")
    ],
    paths: options.Paths,
    out: Out = Path("comparison.html"),
    title: Title = None,
    decision: options.Decision = None,
    other: options.Counted = None,
    overlap: options.Overlap = "error",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
) -> None:
    """Write one HTML page that compares two models on the same annotated documents."""
    from skol_rnn.report.comparison import Side, comparison_html
    from skol_rnn.report.page import require_libraries

    require_libraries()
    bundles = [common.open_model(path, verify_key, other) for path in (first, second)]
    units = [bundle.state["parameters"].get("unit", "line") for bundle in bundles]
    if units[0] != units[1]:
        raise typer.BadParameter(f"{first} labels {units[0]}s and {second} {units[1]}s: they cannot be compared.")
    choose_backend()
    corpus = common.read(paths, input_format, strict, units[0], overlap)
    for bundle in bundles:
        common.check_decision(bundle, decision)
        common.check_scored(corpus, bundle)
    sides = []
    for name, bundle in zip(_names(first, second), bundles, strict=True):
        with common.predicting(common.load(bundle, decision)) as trained:
            sides.append(Side(name, trained.predicted(corpus), trained.training_record()))
    n = len(corpus)
    heading = title or f"{sides[0].name} and {sides[1].name} on {plural(n, 'document')}"
    _write(comparison_html(*sides, title=heading), out)


def page_title(model: Path, corpus: Corpus) -> str:
    """Name a page after a model and the number of documents."""
    n = len(corpus)
    return f"{model.name} on {plural(n, 'document')}"


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Return names that tell two paths apart."""
    return (first.name, second.name) if first.name != second.name else (str(first), str(second))


def _write(page: str, out: Path) -> None:
    common.write_output(out, page.encode())
    if str(out) != options.STANDARD:
        common.say(f"Wrote {printable(str(out))} ({len(page.encode()) / 1e6:.1f} MB)")
