"""``skol-rnn predict`` and ``evaluate``: they use a saved model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console

from skol_rnn.cli import common, options
from skol_rnn.cli.options import OPTION_OF, option
from skol_rnn.cli.report import page_title
from skol_rnn.cli.writing import OnError, Overwrite, Run, check_output
from skol_rnn.data.bio import decode_spans
from skol_rnn.data.discovery import find_format
from skol_rnn.data.probabilities import with_names
from skol_rnn.data.reading import DocumentStream, Reader
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import document_spans
from skol_rnn.data.writing import check_labels
from skol_rnn.decoding.estimate import Expected, Promise, Sums, expected_scores, promise_of
from skol_rnn.decoding.purpose import parse_purpose, promises
from skol_rnn.evaluation.findings import summary
from skol_rnn.evaluation.report import comparison_text, to_text
from skol_rnn.frameworks import choose_backend
from skol_rnn.inference.explanation import explain_rows
from skol_rnn.labels import plural
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import fingerprint, saved_files
from skol_rnn.report.lines import label_marks
from skol_rnn.report.pages import INDEX, Pages, document_lines
from skol_rnn.report.training import important_f1_without, seen_documents, seen_sentence

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus, Document
    from skol_rnn.evaluation.predicted import Predicted
    from skol_rnn.evaluation.result import Evaluation
    from skol_rnn.evaluation.span_scores import SpanScores
    from skol_rnn.inference.predictor import Predictions, ServingModel
    from skol_rnn.model import RNNSkolModel

ADVISED = {**OPTION_OF, "other": "--other"}
"""Options of train by the arguments that findings name."""
_FORMATS = f"{options.FORMATS}; yedda for lines and jsonl for tokens if not given."


def predict(
    model: options.ModelPath,
    paths: options.Paths,
    out: Annotated[
        Path,
        typer.Option(
            readable=False,
            help="Folder for the labelled documents; for tokens also a NAME.tsv of spans; - for standard output.",
        ),
    ],
    form: Annotated[options.Text, option(_FORMATS, "--format", callback=options.written_format("--format"))] = None,
    html: Annotated[options.File, option("Folder for HTML pages, one for each document, and their index.")] = None,
    decision: options.Decision = None,
    backend: options.Backend = "auto",
    precision: options.Precision = "auto",
    overwrite: Overwrite = False,
    on_error: OnError = "stop",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
    json: options.Json = False,
) -> None:
    """Label every line or token of plain or annotated documents; existing labels are ignored.

    A run that was stopped goes on where it was when the same command is given again.
    """
    check_output(out, html, json)
    pages = Pages(html) if html else None
    predictor = common.load_predictor(model, backend, decision, precision, verify_key)
    unit = predictor.unit
    if out.suffix == ".tsv" and (unit != "token" or form):
        raise typer.BadParameter("a .tsv file takes spans of a token model and no --format: give a folder instead.")
    form = form or ("ptc" if out.suffix == ".tsv" else {"line": "yedda", "token": "jsonl"}[unit])
    settings = {"model": fingerprint(model), "decision": decision, "html": html and str(html.absolute())}
    run = Run(out, form, on_error, overwrite, settings | {"strict": strict, "input_format": input_format})
    check_labels(predictor.labels, form, unit)
    # Existing labels are ignored, so overlapping spans are no error.
    reader = Reader(strict, unit, rules=SpanRules(overlap="longest"))
    stream = DocumentStream(paths, format=input_format, reader=reader, on_error=run.on_read_error, without=run.without)
    if run.folder:
        run.folder.protect([*stream.files, *saved_files(model)])
    how = decision or predictor.decision
    promise = promise_of(how, predictor.predictor.decoder) if promises(how) else None
    sums = Sums.empty(len(predictor.labels)) if promise else None
    results = _Results(run, pages, predictor, sums=sums)
    with run.writing():
        results.begin()
        pending = run.pending(stream, results.places, results.note_done)
        found = common.predicted(predictor, pending, decision)
        for document, labelled in common.counted(found, "Labelling", len(stream.files)):
            results.add(document, labelled)
        results.end()
    common.say_skipped(stream.skipped)
    if repairs := str(stream.repairs):
        common.say(repairs)
    expected = _expected(promise, sums, predictor)
    rows, by_frequency = results.counts.total(), dict(results.counts.most_common())
    if json:
        files = [str(path) for path in run.written]
        whole = {"files": files, f"{unit}s": rows, "labels": by_frequency, "backend": predictor.backend}
        whole["precision"] = predictor.precision
        if promise:
            whole["promise"] = asdict(promise) | {"expected": {k: v._asdict() for k, v in expected.items()}}
        common.print_json(whole | run.as_dict())
    else:
        common.say(f"Labelled {rows:,} {unit}s of {plural(run.done, 'document')}{run.place}{run.resumed}")
        if html:
            common.say(f"Wrote a page for each document: open {html / INDEX}")
        common.say("Labels: " + ", ".join(f"{label} {count:,}" for label, count in by_frequency.items()))
        if promise:
            common.say(str(promise))
        if expected:
            common.say(f"Expected here: recall {expected['recall']}, precision {expected['precision']}.")
    run.finish()


def _expected(promise: Promise | None, sums: Sums | None, predictor: ServingModel) -> dict[str, Expected]:
    """Return the scores to expect of the promise's label on the documents of this run; none without a line."""
    if not promise or not sums or not sums.lines:
        return {}
    return expected_scores(sums, predictor.predictor.decoder, promise.decision)[predictor.labels.index(promise.label)]


@dataclass
class _Results:
    """Writes predicted documents and their pages, and counts their labels."""

    run: Run
    pages: Pages | None
    predictor: ServingModel
    counts: Counter[str] = field(default_factory=Counter)
    sums: Sums | None = None  # of this run, for what to expect of a decision

    def begin(self) -> None:
        if self.pages:
            self.pages.marks = label_marks(self.predictor.labels, neutral=[self.predictor.majority])
            for place in self.pages.index():
                self.run.check(place)

    def places(self, document: Document) -> list[Path]:
        return [self.pages.place_of(document)] if self.pages else []

    def note_done(self, document: Document, entry: Mapping[str, Any]) -> None:
        self.counts.update(entry["counts"])
        if self.pages:
            self.pages.listed(document, entry["page"])

    def add(self, document: Document, labelled: Predictions) -> None:
        labels = Counter(labelled.labels.tolist())
        self.counts.update(labels)
        if self.sums:
            index = {name: i for i, name in enumerate(self.predictor.labels)}
            self.sums.add(np.array([index[label] for label in labelled.labels], np.int64), labelled.probabilities)
        more, row = {}, None
        if self.pages:
            more = {self.pages.place_of(document): self._page(self.pages, document, labelled)}
            row = self.pages.row_of(document)
        # Records of tokens hold spans, which have no probabilities.
        shares = with_names(labelled.probabilities, self.predictor.labels) if document.unit == "line" else None
        self.run.add(document, labelled.labels, shares, more, counts=labels, page=row)

    def end(self) -> None:
        if self.pages:
            self.run.write(self.pages.index())

    def _page(self, pages: Pages, document: Document, labelled: Predictions) -> bytes:
        labels = labelled.labels.tolist()
        if document.unit == "token":
            return pages.spans_page(document, None, _with_spans(document, labels).spans or ())
        lines = document_lines(document, labels, probabilities=labelled.probabilities, labels=self.predictor.labels)
        # A page would be twice as large if it explained the many lines that nobody asks about.
        asked = [row for row, label in enumerate(labels) if label != self.predictor.majority]
        table = document.columns() | {"predicted": labelled.labels}
        return pages.lines_page(document, replace(lines, why=explain_rows(self.predictor.predictor, table, asked)))


def _with_spans(document: Document, labels: Sequence[str]) -> Document:
    """Return a document with predicted token labels and the spans that they mark."""
    spans = tuple(decode_spans(document.tokens or (), labels))
    return replace(document, labels=tuple(labels), spans=spans, sources=(), standoff=None)


def evaluate(
    model: options.ModelPath,
    paths: options.Paths,
    out: Annotated[
        options.File,
        option(
            "File for the scores as JSON; - is standard output.", callback=options.output_file("--out", "scores.json")
        ),
    ] = None,
    decision: options.Decision = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also compare all decisions with plain argmax.")] = False,
    html: Annotated[
        options.File,
        option(
            "File for the page that `report` writes.",
            callback=options.output_file("--html", "report.html", standard=False),
        ),
    ] = None,
    other: options.Counted = None,
    overlap: options.Overlap = "error",
    offsets: options.Offsets = "characters",
    fold_labels: options.FoldLabels = False,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
    json: options.Json = False,
) -> None:
    """Predict annotated documents and print precision, recall, F1, loss and support of each class."""
    if html:
        from skol_rnn.report.page import require_libraries

        require_libraries()
    if json:
        _refuse_former_json(paths, input_format)
    bundle = common.open_model(model, verify_key, other)
    common.check_decision(bundle, decision)
    unit = bundle.state["parameters"].get("unit", "line")
    choose_backend()
    corpus = common.read(paths, input_format, strict, unit, overlap, fold_labels=fold_labels, offsets=offsets)
    common.check_scored(corpus, bundle)
    with common.predicting(common.load(bundle, decision)) as trained:
        decisions = trained.compare_decisions(corpus) if compare else {}
        predicted = trained.predicted(corpus)
    evaluation, how = predicted.evaluation, predicted.decision
    seen = _say_seen(trained, predicted)
    documents = {name: part.to_dict() for name, part in evaluation.per_document}
    found = trained.diagnose(evaluation)
    findings = [str(finding) for finding in found]
    spans = _span_scores(corpus, predicted) if evaluation.fragment_f1 is not None else {}
    promise = promise_of(how, trained.decoder_) if promises(how) else None
    kept = _kept(promise, evaluation) if promise else {}
    whole = {**evaluation.to_dict(), **kept, "decision": how, "documents": documents, "findings": findings, **seen}
    if spans:
        whole["spans"] = [score.as_dict() for score in spans.values()]
    if decisions:
        whole["decisions"] = {name: scores.to_dict() for name, scores in decisions.items()}
    if html:
        write_atomically(html, trained.report(predicted, title=page_title(model, corpus)).encode())
    if _written_as_json(whole, out, json):
        return
    width = Console().width
    typer.echo(to_text(evaluation, width, [common.in_options(line, ADVISED) for line in summary(found, width=width)]))
    for score in spans.values():
        typer.echo(f"\n{score}")
    if promise:
        common.say(f"{promise}\n{kept['promise']['sentence']}")
    if decisions:
        typer.echo(comparison_text(list(decisions.items()), width=width))


def _kept(promise: Promise, evaluation: Evaluation) -> dict[str, Any]:
    """Say whether a promise held on annotated documents."""
    purpose = parse_purpose(promise.decision)
    reached = float(getattr(evaluation, purpose.kind)[evaluation.labels.index(promise.label)])
    held = reached >= purpose.share
    sentence = f"The promise {'held' if held else 'did not hold'} here: the {purpose.kind} of {promise.label} is {reached:.3f}."
    return {"promise": {**asdict(promise), "reached": reached, "held": held, "sentence": sentence}}


def _written_as_json(scores: Mapping[str, Any], out: Path | None, json: bool) -> bool:
    """Write the scores to a file or print them as JSON; return whether standard output is taken."""
    printed = json or str(out) == options.STANDARD
    if out and str(out) != options.STANDARD:
        common.write_output(out, f"{common.json_text(scores)}\n".encode())
    if printed:
        common.print_json(scores)
    return printed


def _holds_documents(path: Path) -> bool:
    return path.exists() and find_format(path) is not None


def _refuse_former_json(paths: list[str], input_format: str | None) -> None:
    """Refuse ``--json FILE``, which wrote the scores to a file."""
    files = [path for path in paths if path.endswith(".json") and not _holds_documents(Path(path))]
    files += [options.STANDARD] if options.STANDARD in paths and input_format is None else []
    if files:
        instead = "--json alone" if files[0] == options.STANDARD else f"--out {files[0]}"
        raise ValueError(f"--json takes no file, but prints the scores: write {instead} instead of --json {files[0]}.")


def _say_seen(trained: RNNSkolModel, predicted: Predicted) -> dict[str, Any]:
    """Name the documents that the model has seen, and the score without them; return the same for JSON."""
    record, evaluation = trained.training_record(), predicted.evaluation
    if not record.get("split"):
        return {}
    seen = seen_documents(predicted.table, record)
    if sentence := seen_sentence(seen, predicted.table["doc_id"].nunique(), record, evaluation):
        common.say(sentence)
    copies = [copy._asdict() for copy in seen.copies]
    found = {"training": seen.training, "validation": seen.validation, "near_copies": copies}
    return {"seen": {**found, "important_f1_without": important_f1_without(evaluation, seen)}}


def _span_scores(corpus: Corpus, predicted: Predicted) -> dict[str, SpanScores]:
    """Score predicted spans against those that the documents were read with."""
    parts = predicted.table.groupby("doc_id", sort=False)["predicted"]
    labels = {str(name): part.tolist() for name, part in parts}
    gold = {document.doc_id: document_spans(document) or () for document in corpus}
    return common.span_scores(gold, {d.doc_id: _with_spans(d, labels.get(d.doc_id, ())).spans or () for d in corpus})
