"""``skol-rnn predict``, ``evaluate`` and ``info``: they use a saved model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from skol_rnn.cli import common, options
from skol_rnn.cli.options import option
from skol_rnn.data.bio import decode_spans
from skol_rnn.data.formats.ptc import format_labels
from skol_rnn.data.reading import DocumentStream, Reader
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import document_spans
from skol_rnn.evaluation.findings import summary
from skol_rnn.evaluation.report import comparison_text, to_html, to_text
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import load_bundle

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus, Document
    from skol_rnn.evaluation.span_scores import SpanScores
    from skol_rnn.inference.predictor import Predictions
    from skol_rnn.model import RNNSkolModel

    Labelled = tuple[Document, Predictions]

_FORMATS = f"{options.FORMATS}; yedda for lines and jsonl for tokens if not given."


def predict(
    model: options.ModelPath,
    paths: options.Paths,
    out: Annotated[Path, typer.Option(help="Folder for the labelled documents; for tokens also a NAME.tsv of spans.")],
    form: Annotated[options.Text, option(_FORMATS, "--format")] = None,
    decision: options.Decision = None,
    backend: Annotated[str, typer.Option(help="What runs the network.", metavar="auto|onnx|keras")] = "auto",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    json: options.Json = False,
) -> None:
    """Label every line or token of plain or annotated documents; existing labels are ignored."""
    predictor = common.load_predictor(model, backend)
    unit = predictor.unit
    to_table = out.suffix == ".tsv"
    if to_table and (unit != "token" or form):
        raise typer.BadParameter("a .tsv file takes spans of a token model and no --format: give a folder instead.")
    # Existing labels are ignored, so overlapping spans are no error.
    reader = Reader(strict, unit, rules=SpanRules(overlap="longest"))
    stream = DocumentStream(paths, format=input_format, reader=reader)
    counts: Counter[str] = Counter()
    found = _counted(common.predicted(predictor, stream, decision), counts)
    if to_table:
        written = [out]
        documents = [_with_spans(document, labelled.labels.tolist()) for document, labelled in found]
        write_atomically(out, format_labels(documents).encode())
    else:
        written = common.write_labelled(found, out, form or {"line": "yedda", "token": "jsonl"}[unit])
    common.say_skipped(stream.skipped)
    if repairs := str(stream.repairs):
        common.say(repairs)
    rows, by_frequency = counts.total(), dict(counts.most_common())
    if json:
        files = [str(path) for path in written]
        common.print_json({"files": files, f"{unit}s": rows, "labels": by_frequency, "backend": predictor.backend})
        return
    common.say(f"Labelled {rows:,} {unit}s of {stream.read} documents in {out}")
    common.say("Labels: " + ", ".join(f"{label} {count:,}" for label, count in by_frequency.items()))


def _counted(found: Iterable[Labelled], counts: Counter[str]) -> Iterator[Labelled]:
    for document, labelled in found:
        counts.update(labelled.labels.tolist())
        yield document, labelled


def _with_spans(document: Document, labels: Sequence[str]) -> Document:
    """Return a document with predicted token labels and the spans that they mark."""
    spans = tuple(decode_spans(document.tokens or (), labels))
    return replace(document, labels=tuple(labels), spans=spans, sources=(), standoff=None)


def evaluate(
    model: options.ModelPath,
    paths: options.Paths,
    json_file: Annotated[options.File, option("File for the scores as JSON; - for standard output.", "--json")] = None,
    decision: options.Decision = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also compare all decisions with plain argmax.")] = False,
    html: Annotated[options.File, option("File for a report as one HTML page.")] = None,
    overlap: options.Overlap = "error",
    offsets: options.Offsets = "characters",
    fold_labels: options.FoldLabels = False,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
) -> None:
    """Predict annotated documents and print precision, recall, F1, loss and support of each class."""
    bundle = load_bundle(model)
    unit = bundle.state["parameters"].get("unit", "line")
    corpus = common.read(paths, input_format, strict, unit, overlap, fold_labels=fold_labels, offsets=offsets)
    trained = common.load(bundle, decision)
    decisions = trained.compare_decisions(corpus) if compare else {}
    evaluation = decisions[how] if (how := trained.decided_by) in decisions else trained.evaluate(corpus)
    documents = {name: part.to_dict() for name, part in evaluation.per_document}
    found = trained.diagnose(evaluation)
    findings = [str(finding) for finding in found]
    spans = _span_scores(corpus, trained) if evaluation.fragment_f1 is not None else {}
    whole = {**evaluation.to_dict(), "decision": how, "documents": documents, "findings": findings}
    if spans:
        whole["spans"] = [score.as_dict() for score in spans.values()]
    if decisions:
        whole["decisions"] = {name: scores.to_dict() for name, scores in decisions.items()}
    if html:
        title = f"{model.name} on {len(documents)} documents"
        write_atomically(html, to_html(evaluation, title=title, found=findings).encode())
    if str(json_file) == "-":
        common.print_json(whole)
        return
    if json_file:
        write_atomically(json_file, f"{common.json_text(whole)}\n".encode())
    width = Console().width
    typer.echo(to_text(evaluation, width, summary(found, width=width)))
    for score in spans.values():
        typer.echo(f"\n{score}")
    if decisions:
        typer.echo(comparison_text(list(decisions.items()), width=width))


def _span_scores(corpus: Corpus, model: RNNSkolModel) -> dict[str, SpanScores]:
    """Score predicted spans against those that the documents were read with."""
    rows = model.predict(corpus.table)
    labels = {str(name): part.tolist() for name, part in rows.groupby("doc_id", sort=False)["predicted_label"]}
    gold = {document.doc_id: document_spans(document) or () for document in corpus}
    return common.span_scores(gold, {d.doc_id: _with_spans(d, labels.get(d.doc_id, ())).spans or () for d in corpus})


def info(model: options.ModelPath, json: options.Json = False) -> None:
    """Show the labels, weights, sizes, parameters and scores of a saved model; loads no TensorFlow."""
    bundle = load_bundle(model)
    state = bundle.state
    arrays = {name: array.tolist() for name, array in bundle.decision.items()}
    if json:
        common.print_json({**state, **arrays})
        return
    console = Console(highlight=False)
    console.print(f"{model}: {state['name']}, written by skol_rnn {state['skol_rnn_version']}")
    labels = Table("label", "training lines", "weight", "offset")
    for row in zip(state["labels"], arrays["counts"], arrays["weights"], arrays["offsets"], strict=True):
        labels.add_row(row[0], f"{row[1]:,}", f"{row[2]:.4f}", f"{row[3]:+.4f}")
    console.print(labels)
    size = sum(array.size for array in bundle.network.values())
    runs_on = "ONNX Runtime or Keras" if bundle.graph else "Keras only"
    console.print(f"{state['features']['name']} features, {size:,} network parameters, runs on {runs_on}")
    history = Table("epoch", "loss", *[f"{label} F1" for label in state["labels"]], "important F1")
    past = state["history"]
    for epoch, loss in enumerate(past.get("loss", [])):
        keys = [*(f"val_f1/{label}" for label in state["labels"]), "val_important_f1"]
        scores = [f"{past[key][epoch]:.4f}" for key in keys if key in past]
        history.add_row(str(epoch + 1), f"{loss:.4f}", *scores)
    console.print(history)
    console.print("  ".join(f"{key}={value!r}" for key, value in state["parameters"].items()), markup=False)
