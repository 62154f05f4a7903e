"""``skol-rnn demo``: train on the bundled sample, say what came of it, and show it."""

from __future__ import annotations

import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from skol_rnn.cli import options
from skol_rnn.cli.common import folded, interrupted
from skol_rnn.data.reading import read_documents
from skol_rnn.datasets import sample_corpus
from skol_rnn.errors import RepairWarning
from skol_rnn.frameworks import choose_backend
from skol_rnn.inference.quiet import quiet_tensorflow
from skol_rnn.labels import printable
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    from skol_rnn.evaluation.predicted import Predicted
    from skol_rnn.evaluation.result import Evaluation

IMPORTANT, OTHER = ("Nomenclature", "Description"), "Misc"
SETTINGS: dict[str, Any] = {"important": IMPORTANT, "verbosity": 0}  # all others are the defaults


def demo(
    out: Annotated[
        Path,
        typer.Option(
            readable=False,
            help="Folder for the sample, the model and the pages.",
            callback=options.output_folder("--out"),
        ),
    ] = Path("demo-output"),
) -> None:
    """Train on the sample, score documents of other journals, and write the model, a labelled page and a report."""
    choose_backend()
    console = Console(highlight=False, markup=False, emoji=False)
    sample = sample_corpus(out / "sample")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairWarning)  # the sample is damaged in places, as real files are
        training, test = read_documents(sample / "train"), read_documents(sample / "test")
    console.print(f"Training the default model on {len(training)} made-up documents ({len(training.table):,} lines)")
    started = time.monotonic()
    with console.status("Training"):
        with quiet_tensorflow():
            from skol_rnn.model import RNNSkolModel
        with interrupted(lambda: "Nothing is saved but the sample; the same command starts again."):
            model = RNNSkolModel(**SETTINGS).fit(training, labels=IMPORTANT, other=OTHER)
        model.save(out / "model")
    seconds = time.monotonic() - started
    with console.status("Labelling"):
        predicted = model.predicted(test)
        scores = predicted.evaluation
        worst = max(scores.per_document, key=lambda part: int(part[1].support.sum() - part[1].confusion.trace()))[0]
        page, report = out / f"{Path(worst).name}.html", out / "report.html"
        write_atomically(page, labelled_page(predicted, worst).encode())
        if with_report := find_spec("matplotlib") is not None:
            title = f"The sample: {len(test)} documents that the model has not seen"
            write_atomically(report, model.report(predicted, title=title).encode())
    console.print(f"Trained in {seconds:.0f} s. Scores on {len(test)} documents of two other journals, never seen:\n")
    console.print(scores_table(scores))
    console.print(conclusion(scores))
    shown = str(report) if with_report else "needs matplotlib: pip install 'skol_rnn[report]'"
    files = (
        ("the document with the most errors", page),
        ("the whole report", shown),
        ("the model and its card", out / "model"),
    )
    console.print("\nOpen in a browser, or read:")
    for what, where in files:
        console.print(printable(f"  {what:<34} {where}"), soft_wrap=True)
    console.print("Go on with your own files:")
    for command in next_commands(out):
        console.print(printable(f"  {command}"), soft_wrap=True)


def scores_table(scores: Evaluation) -> Table:
    """Return precision, recall and F1 of each label, with the interval of F1."""
    from skol_rnn.report.curves import bootstrap_intervals

    intervals = bootstrap_intervals(scores)
    table = Table(folded("label"), box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("precision", "recall", "F1", "95 % interval", "lines"):
        table.add_column(heading, justify="right")
    columns = (scores.precision, scores.recall, scores.f1)
    rows = [
        (name, [f"{column[i]:.3f}" for column in columns], intervals["by_label"][name]["f1"], f"{scores.support[i]:,}")
        for i, name in enumerate(scores.labels)
    ]
    rows += [("important F1", ["", "", f"{scores.important_f1:.3f}"], intervals["important_f1"], "")]
    for name, cells, interval, support in rows:
        table.add_row(name, *cells, f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "", support)
    return table


def conclusion(scores: Evaluation) -> str:
    """Say in words what the scores mean."""
    hits, most = scores.confusion.diagonal(), int(scores.support.argmax())
    parts = []
    for name in scores.important:
        i = scores.labels.index(name)
        parts.append(
            f"{hits[i]:,} of {scores.support[i]:,} {name} lines ({scores.precision[i]:.0%} of what it calls so is right)"
        )
    return (
        f"In short: the model finds {' and '.join(parts)}. Calling every line {scores.labels.names[most]} would be right on "
        f"{scores.true_share[most]:.0%} of the lines and find none of them. Real scans are harder than this sample."
    )


def labelled_page(predicted: Predicted, name: str) -> str:
    """Render the lines of one document with gold and predicted labels."""
    from skol_rnn.report.lines import DocumentLines, certainty, label_marks, lines_html

    rows = (predicted.table["doc_id"] == name).to_numpy()
    values, gold, found = (predicted.table.loc[rows, column].tolist() for column in ("value", "label", "predicted"))
    shares, margins = certainty(predicted.probabilities[rows], predicted.labels.names, found)
    lines = DocumentLines(name, values, found, gold, shares.tolist(), margins.tolist())
    wrong = sum(lines.errors)
    return lines_html(
        lines,
        label_marks(predicted.labels, [OTHER]),
        summary=f"{len(values):,} lines of a made-up document that the model has not seen; {wrong} are labelled wrongly.",
    )


def next_commands(out: Path) -> tuple[str, ...]:
    """Return the commands with which a user goes on."""
    return (
        f"skol-rnn predict {out / 'model'} TEXTS --out labelled",
        "skol-rnn train ANNOTATED --labels A,B --other Misc --out my-model",
        "skol-rnn report my-model UNSEEN --out my-report.html",
    )
