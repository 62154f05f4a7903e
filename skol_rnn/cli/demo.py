"""``skol-rnn demo``: the main job on the bundled sample, from annotated files to scores and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from skol_rnn.cli.common import by_document, quiet_tensorflow

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus
    from skol_rnn.evaluation.result import Evaluation
    from skol_rnn.model import RNNSkolModel

IMPORTANT = ("Nomenclature", "Description")
SEED_WEIGHTS = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
WEIGHTINGS = (("none", None), ("100/10/0.1", SEED_WEIGHTS), ("smoothed", "smoothed"))
DECISIONS = ("argmax", "corrected", "tuned")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the sample, the model and the labelled files.")] = Path(
        "demo-output"
    ),
    epochs: Annotated[int, typer.Option(help="Epochs of each of the three trainings.")] = 8,
) -> None:
    """Train on the sample under three weightings, score on documents not trained on, and label those."""
    from skol_rnn.data.reading import read_documents
    from skol_rnn.data.writing import write_documents
    from skol_rnn.datasets.journal import sample_corpus
    from skol_rnn.evaluation.report import comparison_text

    console = Console(highlight=False)
    sample = sample_corpus(out / "sample")
    training, test = read_documents(sample / "train"), read_documents(sample / "test")
    console.print(
        f"Sample: {len(training)} documents to train on ({len(training.table):,} lines), {len(test)} to score on "
        f"({len(test.table):,} lines). Labels: Nomenclature, Description, and Misc for the rest.\n"
    )
    with quiet_tensorflow():
        from skol_rnn.model import RNNSkolModel  # noqa: F401  # its messages belong to no training
    rows: list[tuple[str, Evaluation]] = []
    for name, weights in WEIGHTINGS:
        console.rule(f"weights: {name}")
        model = _trained(training, weights, epochs)
        rows += ((f"{name} {decision}", scores) for decision, scores in _by_decision(model, test))
    console.rule("documents not trained on")
    console.print(comparison_text(rows, IMPORTANT, console.width), markup=False, soft_wrap=True)
    console.print(f"The last of these by class:\n{rows[-1][1]}", markup=False, soft_wrap=True)
    model.save(out / "model")
    predictions = model.predict(test)
    written = write_documents(
        test, out / "labelled", format="yedda", labels_by_doc=by_document(predictions, "predicted_label")
    )
    console.print(f"Model in {out / 'model'}, {len(written)} labelled documents in {out / 'labelled'}", soft_wrap=True)


def _trained(training: Corpus, weights: Any, epochs: int) -> RNNSkolModel:
    from skol_rnn.model import RNNSkolModel

    model = RNNSkolModel(
        class_weights=weights,
        epochs=epochs,
        batch_size=16,
        important=IMPORTANT,
        validation_fraction=0.2,
        refit=False,  # the weightings are compared, and none is kept for its own sake
    )
    return model.fit(training, labels=IMPORTANT, other="Misc")


def _by_decision(model: RNNSkolModel, test: Corpus) -> Iterator[tuple[str, Evaluation]]:
    for decision in DECISIONS:
        yield decision, model.set_params(decision=decision).evaluate(test)
