"""What several commands share: reading, loading, predicting, and printing."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from skol_rnn.cli.options import STANDARD
from skol_rnn.data.discovery import find_files
from skol_rnn.data.document import Corpus
from skol_rnn.data.reading import Reader, read_files
from skol_rnn.data.spans import SpanRules
from skol_rnn.errors import DataError, FrameworkWarning, GraphWarning, LabelWarning, RepairWarning, SeenWarning
from skol_rnn.evaluation.span_scores import SpanScores, fragment_scores, strict_scores
from skol_rnn.inference.array_schema import check_model
from skol_rnn.inference.backends import chosen_backend
from skol_rnn.inference.predictor import ServingModel, saved_decoder
from skol_rnn.inference.quiet import quiet_tensorflow
from skol_rnn.inference.stream import predicted as predicted
from skol_rnn.labels import LabelSet, printable, suggestion
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import Bundle, check_key, load_bundle

if TYPE_CHECKING:
    from skol_rnn.model import RNNSkolModel


_SAID = (FrameworkWarning, GraphWarning, LabelWarning, RepairWarning, SeenWarning)
_LONGEST_KEY = 1 << 16  # bytes
T = TypeVar("T")


@contextlib.contextmanager
def progress(text: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on standard error while it is a terminal; call what this yields with the steps done and all of them."""
    # Some environments make rich write colours, and bars, into pipes.
    shown = sys.stderr.isatty() and "--json" not in COMMAND_LINE
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # A bar without a number of steps only moves: it says that the command works.
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def counted(items: Iterable[T], text: str, total: int | None = None) -> Iterator[T]:
    """Yield items under a bar."""
    with progress(text, total) as report:
        for done, item in enumerate(items, 1):
            yield item
            report(done, total)


def folded(heading: str) -> Column:
    """Return the column of a table whose long texts are broken over lines instead of cut."""
    return Column(heading, overflow="fold")


def fits(console: Console, table: Table) -> bool:
    """Whether a table is no wider than the terminal."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width


COMMAND_LINE: list[str] = []
"""The words after ``skol-rnn``, for messages that repeat the command."""
OPTIONS: dict[str, str] = {}
"""The options of the command that runs, by the names that Python has for them."""


_ALSO = {
    "weights": {"class_weights": "--strategy"},
    "tune": {"n_trials": "--trials", "monitor": "--metric", "random_state": "--seed"},
}
"""Arguments of Python that have another name on the command line."""


def options_of(command: Any, words: list[str]) -> dict[str, str]:
    """Return the options of a command by the names that Python has for them."""
    found = {p.name: max(p.opts, key=len) for p in getattr(command, "params", ()) if p.opts[0].startswith("-")}
    if "--input-format" in found.values():
        found["format"] = "--input-format"
    found |= _ALSO.get(getattr(command, "name", ""), {})
    # What the command line does not have came from the file of settings, in its words.
    given = {word.partition("=")[0] for word in words}
    return {name: text for name, text in found.items() if "--config" not in given or text in given}


def same_command() -> str:
    """Return the command that runs, to be run again."""
    return f"skol-rnn {shlex.join(COMMAND_LINE)}"


_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # JSON itself escapes the others
_QUOTED = r"(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)"
_VALUE = r"""=(?:"([^"]*)"|'([^']*)'|([\w-]+)|)"""


def in_options(message: str, options: Mapping[str, str] = OPTIONS) -> str:
    """Write arguments of Python, as messages name them, as the options of a command.

    >>> in_options('loss must be one of A, B; leave out important_labels, or give unit="token".',
    ...            {"loss": "--loss", "important_labels": "--important", "unit": "--unit"})
    '--loss must be one of A, B; leave out --important, or give --unit token.'
    """
    names = "|".join(sorted(map(re.escape, options), key=len, reverse=True))
    verbs = r"(?= (?:must|needs?|has|have) )"
    start = r"(?:^|(?<=\. )|(?<=: ))"
    pattern = rf"(?P<quoted>{_QUOTED})|(?<![\w\"'/.-])(?P<given>{names}){_VALUE}|{start}(?P<first>{names}){verbs}"
    pattern += r"|(?<![\w\"'/.-])(?P<plain>\w+_\w+)(?![\w/=(]|\.\w)"

    def option(found: re.Match[str]) -> str:
        if found["quoted"]:
            return found[0]
        name = options.get(found["given"] or found["first"] or found["plain"])
        value = next((text for text in found.groups()[2:5] if text), "")
        return found[0] if name is None else f"{name} {value.removesuffix('True')}".strip()

    if not options:
        return message
    return re.sub(pattern, option, re.sub(r"read_documents\(\.\.\., (\w+=\w+)\)", r"\1", message))


@contextlib.contextmanager
def log_in_options() -> Iterator[None]:
    """Write the options of the command, instead of arguments of Python, into the log of training."""
    from skol_rnn.training.log import TrainingLog

    before = TrainingLog.words
    TrainingLog.words = staticmethod(in_options)
    try:
        yield
    finally:
        TrainingLog.words = before


@contextlib.contextmanager
def interrupted(advice: Callable[[], str]) -> Iterator[None]:
    """Say how to go on when the user stops a command."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"Stopped. {advice()}")
        raise


def say(message: str) -> None:
    """Print to standard error; standard output is for results."""
    # File names and labels may contain what a terminal obeys.
    typer.echo(printable(message, keep="\t\n"), err=True)


def json_text(value: Any) -> str:
    """Write a value as JSON, with null for numbers that JSON does not have, and what a terminal obeys escaped."""
    text = json.dumps(_finite(value), indent=1, ensure_ascii=False, default=lambda v: v.tolist())
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
    once(paths)
    rules = span_rules(overlap, priority, types, offsets)
    files, skipped = find_files(paths, input_format)
    watched = partial(counted, text="Reading", total=len(files))
    corpus = read_files(files, skipped, Reader(strict, unit, rules=rules), fold_labels, watched)
    say_skipped(corpus.skipped)
    return corpus


def span_rules(overlap: str, priority: list[str] | None, types: list[str] | None, offsets: str) -> SpanRules:
    """Return the rules that the options of spans describe."""
    if overlap == "priority" and not priority:
        raise ValueError(
            "--overlap priority needs the types in their order: --priority MOST_IMPORTANT --priority NEXT."
        )
    # A type may contain commas, so these options are repeated instead of split.
    return SpanRules(
        overlap=overlap, priority=tuple(priority or ()), types=tuple(types) if types else None, offsets=offsets
    )


def once(*paths: Sequence[str] | None) -> None:
    """Refuse standard input where it would be read twice."""
    if sum(list(given or ()).count(STANDARD) for given in paths) > 1:
        raise ValueError("- is given twice, but standard input can be read only once.")


def format_of(form: str | None, others: Sequence[str] | None) -> str | None:
    """Return the format to read some paths as; where others are standard input, ``--input-format`` is for that alone."""
    return None if STANDARD in (others or ()) else form


def write_output(path: Path, data: bytes) -> None:
    """Write a file, or to standard output where the path is -."""
    if str(path) != STANDARD:
        write_atomically(path, data)
        return
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(data.decode())
    else:
        stream.write(data)
        stream.flush()


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
                say(in_options(str(message)))
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


def check_decision(bundle: Bundle, decision: str | None) -> None:
    """Refuse a decision that a saved model cannot take, before anything loads."""
    if decision is not None:
        saved_decoder(bundle).resolved(decision)


def check_scored(corpus: Corpus, bundle: Bundle, required: bool = True) -> None:
    """Refuse documents that a saved model cannot be scored on: without labels, or with labels that it does not know."""
    from skol_rnn.data.inputs import fold_labels, labelled_table

    state = bundle.state
    if all(label is None for document in corpus for label in document.labels or ()):
        if required:
            raise DataError(
                "The data have no labels: give annotated files. `skol-rnn report` shows predictions without scores."
            )
        return
    column = labelled_table(corpus, unit=state["parameters"].get("unit", "line"), other=state["other"])["label"]
    fold_labels(column, LabelSet(tuple(state["labels"])), state["other"], "the data")


@contextlib.contextmanager
def loading(with_network: bool) -> Iterator[None]:
    """Load Keras without its messages, where there is a network."""
    if not with_network:
        yield
        return
    with progress("Loading Keras"), quiet_tensorflow():
        yield


def load(bundle: Bundle, decision: str | None = None) -> RNNSkolModel:
    """Build the model of a bundle without the messages of Keras, with its own decision or another one."""
    with loading(bundle.state["network"] is not None):
        from skol_rnn.model import RNNSkolModel
    model = RNNSkolModel().set_bundle(bundle)
    if decision:
        model.decoder_.resolved(decision)
        model.decision = decision
    return model


@contextlib.contextmanager
def predicting(model: RNNSkolModel) -> Iterator[RNNSkolModel]:
    """Show a bar while a loaded model predicts."""
    with progress("Predicting") as report:
        model._predictor = replace(model._predictor, watch=report)
        yield model


def key_of(file: Path | None) -> bytes | None:
    """Read the key that signs models."""
    if file is None:
        return None
    try:
        with file.open("rb") as stream:
            key = stream.read(_LONGEST_KEY).strip()
    except OSError as error:
        raise DataError(f"The key {file} cannot be read ({error.strerror or error}).") from error
    check_key(key)
    return key


def open_model(path: Path, key: Path | None = None, other: str | None = None) -> Bundle:
    """Read a saved model and check all of it; ``other`` counts for labels that it does not know."""
    bundle = load_bundle(path, key_of(key))
    check_model(bundle)
    if other is not None:
        from skol_rnn.data.inputs import other_label

        bundle.state["other"] = other_label(other, None, LabelSet(tuple(bundle.state["labels"])))
    return bundle


def load_predictor(
    path: Path,
    backend: str = "auto",
    decision: str | None = None,
    precision: str = "auto",
    key: Path | None = None,
) -> ServingModel:
    """Load a saved model for prediction, without TensorFlow's messages where Keras runs it."""
    bundle = open_model(path, key)
    check_decision(bundle, decision)
    chosen = chosen_backend(bundle, backend)
    with quiet_tensorflow() if chosen == "keras" else contextlib.nullcontext():
        return ServingModel(bundle, backend, precision=precision)


def span_scores(gold: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, SpanScores]:
    """Score predicted spans in three ways."""
    return {
        "fragment": fragment_scores(gold, found),
        "fragment_untyped": fragment_scores(gold, found, typed=False),
        "strict": strict_scores(gold, found),
    }
