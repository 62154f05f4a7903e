"""``skol-rnn demo``: train on the bundled sample, score, and write labelled files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from skol_rnn.cli.common import load_predictor, predicted, quiet_tensorflow, write_labelled
from skol_rnn.data.reading import read_documents
from skol_rnn.datasets import sample_corpus
from skol_rnn.evaluation.report import comparison_text, to_text

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

IMPORTANT = ("Nomenclature", "Description")
MANUAL_WEIGHTS = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
WEIGHTINGS: tuple[tuple[str, Any], ...] = (("none", None), ("100/10/0.1", MANUAL_WEIGHTS), ("smoothed", "smoothed"))
DECISIONS = ("argmax", "corrected", "tuned")
SETTINGS: dict[str, Any] = {"batch_size": 16, "validation_fraction": 0.2, "refit": False}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the sample, model and labelled files.")] = Path("demo-output"),
    epochs: Annotated[int, typer.Option(help="Epochs of each of the three trainings.")] = 8,
) -> None:
    """Train on the sample with three class weightings, score on test documents, and label those."""
    console = Console(highlight=False)
    sample = sample_corpus(out / "sample")
    training, test = read_documents(sample / "train"), read_documents(sample / "test")
    console.print(
        f"Sample: {len(training)} training documents ({len(training.table):,} lines), "
        f"{len(test)} test documents ({len(test.table):,} lines).\n"
        "Labels: Nomenclature, Description, and Misc for all other lines.\n"
    )
    with quiet_tensorflow():
        from skol_rnn.model import RNNSkolModel
    rows: list[tuple[str, Evaluation]] = []
    for name, weights in WEIGHTINGS:
        console.rule(f"class weights: {name}")
        model = RNNSkolModel(class_weights=weights, important=IMPORTANT, epochs=epochs, **SETTINGS)
        model.fit(training, labels=IMPORTANT, other="Misc")
        decisions = model.compare_decisions(test)
        rows += [(f"{name} {how}", decisions[how]) for how in DECISIONS if how in decisions]
    console.rule("test documents")
    typer.echo(comparison_text(rows, IMPORTANT, max(console.width, 100)))
    name, scores = rows[-1]
    typer.echo(f"{name}:\n{to_text(scores, console.width)}")
    model.save(out / "model")
    written = write_labelled(predicted(load_predictor(out / "model"), test), out / "labelled", "yedda")
    console.print(f"Saved the model to {out / 'model'}", soft_wrap=True)
    console.print(f"Wrote {len(written)} labelled documents to {out / 'labelled'}", soft_wrap=True)
