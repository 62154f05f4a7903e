"""``skol-rnn estimate``: what scores to expect on documents without labels."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skol_rnn.cli import common, options
from skol_rnn.data.reading import DocumentStream, Reader
from skol_rnn.decoding.estimate import SCORES, Estimate, Expected
from skol_rnn.inference.estimating import estimate as estimated
from skol_rnn.labels import plural, printable

_MOST_DOCUMENTS = 5


def estimate(
    model: options.ModelPath,
    paths: options.Paths,
    decision: options.Decision = None,
    backend: options.Backend = "auto",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
    json: options.Json = False,
) -> None:
    """Estimate precision, recall and F1 of each label on documents without labels, and name the least certain documents."""
    predictor = common.load_predictor(model, backend, decision, key=verify_key)
    if predictor.unit != "line":
        raise ValueError("estimate needs a model of lines, and this one labels tokens.")
    stream = DocumentStream(paths, format=input_format, reader=Reader(strict))
    documents = common.counted(stream, "Reading", len(stream.files))
    tables = (document.columns() for document in documents)
    found = estimated(predictor.predictor, tables, decision or predictor.decision, predictor.counts)
    common.say_skipped(stream.skipped)
    if json:
        common.print_json(found.to_dict())
        return
    _print(found)


def _cell(score: Expected) -> str:
    """Show a score, and its interval below it."""
    return f"{score.value:.3f}" + ("" if math.isnan(score.low) else f"\n{score.low:.2f} to {score.high:.2f}")


def _print(found: Estimate) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("", *SCORES, "share here", "in training"):
        table.add_column(heading, justify="left" if not heading else "right")
    for k, (name, scores) in enumerate(zip(found.labels, found.scores, strict=True)):
        shares = (f"{found.shares[k]:.2%}", f"{found.trained_shares[k]:.2%}")
        table.add_row(Text(printable(name)), *(_cell(scores[kind]) for kind in SCORES), *shares)
    console.print(table)
    without = math.isnan(scores["f1"].low)
    intervals = "" if without else ", with 95 % intervals"
    common.say(f"Expected on {found.lines:,} lines of {plural(len(found.documents), 'document')}{intervals}.")
    if without:
        common.say(
            "There are no intervals: the model has too few predictions of documents that it was not trained on. Train it "
            "with --dev, or on 20,000 lines and more."
        )
    worst = found.documents[:_MOST_DOCUMENTS]
    named = "; ".join(f"{d['document']} ({d['uncertain']:.1%} of {d['lines']:,} lines)" for d in worst)
    common.say(f"Largest shares of lines that are expected to be wrong: {named}.")
