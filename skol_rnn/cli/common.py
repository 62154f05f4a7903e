"""What several commands share: reading, loading, predicting, and printing."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.reading import read_documents
from skol_rnn.data.spans import SpanRules
from skol_rnn.errors import DataError, GraphWarning, LabelWarning, RepairWarning, SeenWarning
from skol_rnn.evaluation.span_scores import SpanScores, fragment_scores, strict_scores
from skol_rnn.inference.predictor import Predictions, ServingModel, chosen_backend
from skol_rnn.inference.quiet import quiet_start
from skol_rnn.labels import printable, suggestion
from skol_rnn.persistence.bundle import Bundle, load_bundle

if TYPE_CHECKING:
    from skol_rnn.model import RNNSkolModel


_SAID = (GraphWarning, LabelWarning, RepairWarning, SeenWarning)


def say(message: str) -> None:
    """Print to standard error; standard output is for results."""
    # File names and labels may contain what a terminal obeys.
    typer.echo(printable(message, keep="\t\n"), err=True)


def json_text(value: Any) -> str:
    """Write a value as JSON, with null for numbers that JSON does not have."""
    return json.dumps(_finite(value), indent=1, ensure_ascii=False, default=lambda v: v.tolist())


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json_text(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def results_on_stderr(json: bool) -> contextlib.AbstractContextManager[Any]:
    """Send log lines to standard error where JSON alone goes to standard output."""
    return contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()


def names(text: str | None) -> list[str] | None:
    """Split ``A,B,C``."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def read(
    paths: list[str],
    input_format: str | None = None,
    strict: bool = False,
    unit: str = "line",
    overlap: str = "error",
    priority: list[str] | None = None,
    types: list[str] | None = None,
    fold_labels: bool = False,
    offsets: str = "characters",
) -> Corpus:
    """Read documents and report the files that were skipped."""
    rules = span_rules(overlap, priority, types, offsets)
    corpus = read_documents(paths, format=input_format, strict=strict, unit=unit, rules=rules, fold_labels=fold_labels)
    say_skipped(corpus.skipped)
    return corpus


def span_rules(overlap: str, priority: list[str] | None, types: list[str] | None, offsets: str) -> SpanRules:
    """Return the rules that the options of spans describe."""
    # A type may contain commas, so these options are repeated instead of split.
    return SpanRules(
        overlap=overlap, priority=tuple(priority or ()), types=tuple(types) if types else None, offsets=offsets
    )


def say_skipped(skipped: Iterable[tuple[str, str]]) -> None:
    """Report files that were not read, with the reason."""
    for path, reason in skipped:
        say(f"Skipped {path}: {reason}")


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print this package's warnings as one line each, without the place in the code."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, _SAID):
                say(str(message))
            else:
                shown(message, category, *place, **more)

        for category in _SAID:
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


def check_labels(column: Iterable[Any], labels: list[str] | None, other: str | None, where: str = "") -> None:
    """Refuse a label of ``--labels`` that does not occur."""
    found = {label for label in column if isinstance(label, str)}
    for label in labels or ():
        if label not in found and label != other:
            subject = f"{where} does not have" if where else "No document has"
            raise DataError(f"{subject} the label {label!r} of --labels.{suggestion(label, found)}")


def load(bundle: Bundle, decision: str | None = None) -> RNNSkolModel:
    """Build the model of a bundle without TensorFlow's messages, with its own decision or another one."""
    with quiet_tensorflow():
        from skol_rnn.model import RNNSkolModel
    model = RNNSkolModel().set_bundle(bundle)
    if decision:
        model.decoder_.resolved(decision)
        model.decision = decision
    return model


def load_predictor(path: Path, backend: str = "auto") -> ServingModel:
    """Load a saved model for prediction, without TensorFlow's messages where Keras runs it."""
    bundle = load_bundle(path)
    chosen = chosen_backend(bundle, backend)
    with quiet_tensorflow() if chosen == "keras" else contextlib.nullcontext():
        return ServingModel(bundle, chosen)


def predicted(
    predictor: ServingModel, documents: Iterable[Document], decision: str | None = None
) -> Iterator[tuple[Document, Predictions]]:
    """Predict documents a few at a time, and yield each with its labels and probabilities."""
    documents, ahead = tee(documents)  # holds the few documents that are predicted together
    # The features of lines need no pandas, those of tokens do.
    tables = (one.columns() if one.unit == "line" else one.table() for one in ahead)
    yield from zip(documents, predictor.predict_documents(tables, decision), strict=True)


def span_scores(gold: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, SpanScores]:
    """Score predicted spans in three ways."""
    return {
        "fragment": fragment_scores(gold, found),
        "fragment_untyped": fragment_scores(gold, found, typed=False),
        "strict": strict_scores(gold, found),
    }


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hide what TensorFlow's libraries print while they load, unless they fail."""
    with quiet_start() as hidden:
        if hidden:
            from skol_rnn.inference.keras_runner import load_tensorflow

            load_tensorflow()
        yield
