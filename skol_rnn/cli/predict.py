"""``skol-rnn predict``, ``evaluate`` and ``info``: what is done with a trained model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from skol_rnn.cli.common import (
    InputFormat,
    Json,
    ModelPath,
    Overlap,
    Paths,
    Strict,
    by_document,
    json_text,
    load,
    print_json,
    quiet_tensorflow,
    read,
    say,
    unit_of,
)

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus, Document
    from skol_rnn.evaluation.span_scores import SpanScores
    from skol_rnn.inference.predictor import Labelled, ServingModel
    from skol_rnn.model import RNNSkolModel


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(predict)
    app.command()(evaluate)
    app.command()(info)


def _load(path: Path, decision: str | None) -> RNNSkolModel:
    from skol_rnn.training.checks import check_parameters

    model = load(path)
    if decision:
        check_parameters(model.set_params(decision=decision).get_params())
    return model


def predict(
    model: ModelPath,
    paths: Paths,
    out: Annotated[
        Path, typer.Option(help="Folder for the labelled documents; of tokens also a file NAME.tsv of spans.")
    ],
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="yedda (the default of lines), jsonl (of tokens), csv, parquet, ptc, brat or bio."
        ),
    ] = None,
    decision: Annotated[
        str | None, typer.Option(help="auto, corrected, argmax, tuned or viterbi; the model's own if not given.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="onnx (ONNX Runtime), keras, or auto: onnx where it is installed and the model allows.")
    ] = "auto",
    input_format: InputFormat = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Label every line or token of plain or annotated documents; labels that they have are not looked at."""
    from skol_rnn.data.spans import SpanRules
    from skol_rnn.data.streams import DocumentStream

    labeller = _load_serving(model, backend)
    unit = labeller.unit
    to_table = out.suffix == ".tsv"
    if to_table and (unit != "token" or output_format):
        raise typer.BadParameter("a .tsv takes the spans of a model of tokens and no --format; give a folder.")
    # Labels are not looked at, so no policy for spans that overlap is asked for.
    rules = SpanRules(overlap="longest")
    stream = DocumentStream(paths, format=input_format, strict=strict, unit=unit, rules=rules)
    counts: Counter[str] = Counter()
    found = _counted(_labelled(labeller, stream, decision), counts)
    if to_table:
        written = [_write_spans(found, out)]
    else:
        written = _write_documents(found, out, output_format or {"line": "yedda", "token": "jsonl"}[unit])
    for path, reason in stream.skipped:
        say(f"left out {path}: {reason}")
    rows, by_frequency = counts.total(), dict(counts.most_common())
    if json:
        files = [str(path) for path in written]
        print_json({"files": files, f"{unit}s": rows, "labels": by_frequency, "backend": labeller.backend})
        return
    told = ", ".join(f"{label} {count:,}" for label, count in by_frequency.items())
    say(f"{rows:,} {unit}s of {stream.read} documents labelled in {out}: {told}")


def _load_serving(path: Path, backend: str) -> ServingModel:
    """Load a model for prediction, quietly where TensorFlow has to run it."""
    from skol_rnn.inference.predictor import ServingModel, chosen_backend
    from skol_rnn.persistence.bundle import load_bundle

    bundle = load_bundle(path)
    chosen = chosen_backend(bundle, backend)
    with quiet_tensorflow() if chosen == "keras" else nullcontext():
        return ServingModel(bundle, chosen)


def _labelled(
    labeller: ServingModel, documents: Iterable[Document], decision: str | None
) -> Iterator[tuple[Document, Labelled]]:
    """Label documents a few at a time, and go on with each beside its labels."""
    documents, ahead = tee(documents)  # holds the few documents that are labelled together
    # The features of lines need no pandas, those of tokens do.
    tables = (one.columns() if one.unit == "line" else one.table() for one in ahead)
    yield from zip(documents, labeller.predict_documents(tables, decision), strict=True)


def _counted(
    labelled: Iterable[tuple[Document, Labelled]], counts: Counter[str]
) -> Iterator[tuple[Document, Labelled]]:
    for document, found in labelled:
        counts.update(found.labels.tolist())
        yield document, found


def _write_documents(labelled: Iterable[tuple[Document, Labelled]], out: Path, form: str) -> list[Path]:
    from skol_rnn.data.streams import DocumentWriter

    with DocumentWriter(out, form) as writer:
        for document, found in labelled:
            # Records of tokens hold spans, which have no probabilities.
            writer.add(document, found.labels, found.probabilities if document.unit == "line" else None)
    return writer.written


def _write_spans(labelled: Iterable[tuple[Document, Labelled]], out: Path) -> Path:
    """Write the predicted spans of all documents as one table: article, type, start, end."""
    from skol_rnn.data.formats.ptc import format_labels
    from skol_rnn.persistence.atomic import write_atomically

    found = [_with_spans(document, predicted.labels.tolist()) for document, predicted in labelled]
    write_atomically(out, format_labels(found).encode())
    return out


def _with_spans(document: Document, labels: Sequence[str]) -> Document:
    """Return a document with predicted labels of tokens, and the spans that these tell."""
    from skol_rnn.data.bio import decode_spans

    spans = tuple(decode_spans(document.tokens or (), labels))
    return replace(document, labels=tuple(labels), spans=spans, sources=())


def evaluate(
    model: ModelPath,
    paths: Paths,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the scores as JSON; - for standard output.")
    ] = None,
    decision: Annotated[
        str | None, typer.Option(help="auto, corrected, argmax, tuned or viterbi; the model's own if not given.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Show every decision beside plain argmax, too.")] = False,
    html: Annotated[Path | None, typer.Option(help="File for a report as one HTML page.")] = None,
    overlap: Overlap = "error",
    input_format: InputFormat = None,
    strict: Strict = False,
) -> None:
    """Predict annotated documents and print precision, recall, F1, loss and support of each class."""
    from skol_rnn.evaluation.findings import summary
    from skol_rnn.evaluation.report import comparison_text, to_text
    from skol_rnn.persistence.atomic import write_atomically

    corpus = read(paths, input_format, strict, unit_of(model), overlap)
    labeller = _load(model, decision)
    evaluation = labeller.evaluate(corpus)
    scores = evaluation.to_dict()
    per_document = {name: part.to_dict() for name, part in evaluation.per_document}
    findings = [str(finding) for finding in labeller.diagnose(evaluation)]
    whole = {**scores, "decision": labeller.decided_by, "documents": per_document, "findings": findings}
    decisions = labeller.compare_decisions(corpus) if compare else {}
    spans = _span_scores(corpus, labeller) if evaluation.fragment_f1 is not None else []
    if spans:
        whole["spans"] = [scores.as_dict() for scores in spans]
    if decisions:
        whole["decisions"] = {name: scores.to_dict() for name, scores in decisions.items()}
    if html:
        from skol_rnn.evaluation.report_html import to_html

        write_atomically(
            html, to_html(evaluation, title=f"{model.name} on {len(per_document)} documents", found=findings).encode()
        )
    if str(json_file) == "-":
        print_json(whole)
        return
    if json_file:
        write_atomically(json_file, f"{json_text(whole)}\n".encode())
    typer.echo(to_text(evaluation, Console().width, summary(labeller.diagnose(evaluation))))
    for scores_of_spans in spans:
        typer.echo(f"\n{scores_of_spans}")
    if decisions:
        typer.echo(comparison_text(list(decisions.items()), width=Console().width))


def _span_scores(corpus: Corpus, labeller: RNNSkolModel) -> list[SpanScores]:
    """Score predicted spans against those that the documents were read with."""
    from skol_rnn.data.tokens import document_spans
    from skol_rnn.evaluation.span_scores import fragment_scores, strict_scores

    gold = {document.doc_id: document_spans(document) or () for document in corpus}
    predicted = by_document(labeller.predict(corpus), "predicted_label")
    found = {d.doc_id: _with_spans(d, predicted.get(d.doc_id, ())).spans or () for d in corpus}
    return [fragment_scores(gold, found), fragment_scores(gold, found, typed=False), strict_scores(gold, found)]


def info(model: ModelPath, json: Json = False) -> None:
    """Show what a saved model is: labels, weights, sizes, parameters and scores; loads no TensorFlow."""
    from skol_rnn.persistence.bundle import load_bundle

    bundle = load_bundle(model)
    state = bundle.state
    decision = {name: array.tolist() for name, array in bundle.decision.items()}
    if json:
        print_json({**state, **decision})
        return
    console = Console()
    console.print(f"{model}: {state['name']}, written by skol_rnn {state['skol_rnn_version']}", highlight=False)
    labels = Table("label", "training lines", "weight", "offset")
    for row in zip(state["labels"], decision["counts"], decision["weights"], decision["offsets"], strict=True):
        labels.add_row(row[0], f"{row[1]:,}", f"{row[2]:.4f}", f"{row[3]:+.4f}")
    console.print(labels)
    size = sum(array.size for array in bundle.network.values())
    graph = "with" if bundle.graph else "without"
    told = f"features {state['features']['name']}, {size:,} weights in the network, {graph} a graph for ONNX Runtime"
    console.print(told, highlight=False)
    console.print(_history(state))
    parameters = "  ".join(f"{key}={value!r}" for key, value in state["parameters"].items())
    console.print(parameters, highlight=False)


def _history(state: dict[str, Any]) -> Table:
    table = Table("epoch", "loss", *[f"{label} F1" for label in state["labels"]], "important F1")
    history = state["history"]
    for epoch, loss in enumerate(history.get("loss", [])):
        f1 = [history[key][epoch] for label in state["labels"] if (key := f"val_f1/{label}") in history]
        scores = [*f1, history["val_important_f1"][epoch]] if f1 else []
        table.add_row(str(epoch + 1), f"{loss:.4f}", *[f"{score:.4f}" for score in scores])
    return table
