"""Arguments and options that several commands have, and the checks of their values before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from skol_rnn.data.discovery import FORMATS as _FORMATS
from skol_rnn.data.spans import OFFSETS, OVERLAP_POLICIES
from skol_rnn.data.tokens import UNITS
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.decoding.purpose import FORMS, check_decision
from skol_rnn.inference.backends import BACKENDS, PRECISIONS
from skol_rnn.labels import check_choice
from skol_rnn.persistence.atomic import check_writable
from skol_rnn.persistence.bundle import check_destination
from skol_rnn.training.parameters import PARAMETERS

FORMATS = "yedda, text, jsonl, csv, parquet, ptc, brat or bio"
STANDARD = "-"
"""The path of standard input, or of standard output."""

OPTION_OF = {name: "--seed" if name == "random_state" else f"--{name.replace('_', '-')}" for name in PARAMETERS}
"""The option of each parameter of the model."""

Text = str | None
File = Path | None


def option(text: str, *names: str, **settings: Any) -> Any:
    """Describe an option whose help says what happens without it."""
    # A file that may not be read is said in one sentence by what reads it.
    return typer.Option(*names, help=text, show_default=False, readable=False, **settings)


def require(module: str, sentence: str) -> None:
    """Raise an ImportError with a sentence of ours where a library is missing; call it before any work."""
    try:
        import_module(module)
    except ImportError as error:
        raise ImportError(sentence) from error


def one_of(name: str, allowed: Iterable[str]) -> Callable[[Text], Text]:
    """Return a check that the value of an option is one of a few."""

    def check(value: Text) -> Text:
        if value is not None:
            check_choice(name, value, allowed)
        return value

    return check


def _checked_decision(value: Text) -> Text:
    if value is not None:
        check_decision(value)
    return value


def written_format(name: str) -> Callable[[Text], Text]:
    """Return a check that a format exists, and that what writes it is installed."""

    def check(value: Text) -> Text:
        one_of(name, _FORMATS)(value)
        if value == "parquet":
            require("pyarrow", f"{name} parquet needs pyarrow: pip install 'skol_rnn[parquet]'.")
        return value

    return check


def at_least(name: str, least: int) -> Callable[[int | None], int | None]:
    """Return a check that a number is not too small."""

    def check(value: int | None) -> int | None:
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, but is {value}.")
        return value

    return check


def seed(value: int | None) -> int | None:
    """Check the seed of a random generator."""
    if value is not None and not 0 <= value < 2**31:
        raise ValueError(f"--seed must be from 0 to 2147483647, but is {value}.")
    return value


def output_file(name: str, example: str, standard: bool = True) -> Callable[[File], File]:
    """Return a check that a file can be written; ``standard`` says whether - is allowed."""

    def check(path: File) -> File:
        if path is None or (standard and str(path) == STANDARD):
            return path
        if str(path) == STANDARD:
            raise ValueError(f"{name} cannot be standard output: give a file, such as {example}.")
        if path.is_dir():
            raise ValueError(f"{name} {path} is a folder: give a file, such as {path / example}.")
        check_writable(path)
        return path

    return check


def output_folder(name: str, standard: bool = False) -> Callable[[File], File]:
    """Return a check that files can be written to a folder."""

    def check(path: File) -> File:
        if path is None or (standard and str(path) == STANDARD):
            return path
        if str(path) == STANDARD:
            raise ValueError(f"{name} cannot be standard output: give a folder.")
        if path.is_file():
            raise ValueError(f"{name} {path} is a file: give a folder.")
        check_writable(path)
        return path

    return check


def _checked_model(out: Path) -> Path:
    if str(out) == STANDARD:
        raise ValueError("--out cannot be standard output: give a folder, or a file ending in .skol or .zip.")
    check_destination(out)
    return out


Paths = Annotated[
    list[str],
    typer.Argument(help="Files, folders or globs; - is standard input.", show_default=False, metavar="PATHS"),
]
SignKey = Annotated[
    Path | None,
    typer.Option(
        "--sign-key", readable=False, help="Sign the model with the key in this file; --verify-key checks it."
    ),
]
VerifyKey = Annotated[
    Path | None,
    typer.Option("--verify-key", readable=False, help="Refuse a model that is not signed with the key in this file."),
]
ModelPath = Annotated[
    Path, typer.Argument(readable=False, help="A saved model, folder or file.", show_default=False, metavar="MODEL")
]
ModelOut = Annotated[
    Path,
    typer.Option(
        readable=False,
        help="Where to save the model: a folder, or a file ending in .skol or .zip.",
        callback=_checked_model,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else there.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse files with damaged markup instead of repairing them.")]
InputFormat = Annotated[
    str | None,
    typer.Option("--input-format", help=f"Read all files as {FORMATS}.", callback=one_of("--input-format", _FORMATS)),
]
Unit = Annotated[str, typer.Option(help="What gets a label.", metavar="line|token", callback=one_of("--unit", UNITS))]
_KEPT = "Which of two overlapping spans is kept: longest, first"
Overlap = Annotated[
    str,
    typer.Option(
        help=f"{_KEPT}; or error.",
        metavar="WHICH",
        callback=one_of("--overlap", [policy for policy in OVERLAP_POLICIES if policy != "priority"]),
    ),
]
OverlapOrPriority = Annotated[
    str,
    typer.Option(
        help=f"{_KEPT}, or priority (the order of --priority); or error.",
        metavar="WHICH",
        callback=one_of("--overlap", OVERLAP_POLICIES),
    ),
]
Offsets = Annotated[
    str,
    typer.Option(
        help="What offsets of spans count: characters or utf-16.",
        metavar="WHAT",
        callback=one_of("--offsets", OFFSETS),
    ),
]
FoldLabels = Annotated[
    bool, typer.Option("--fold-labels", help="Merge labels that differ in case, blanks or Unicode form only.")
]
Priority = Annotated[list[str] | None, typer.Option(help="Type for --overlap priority, most important first; repeat.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Allowed span type; repeat it for more.")]

Decision = Annotated[
    Text,
    option(
        f"How labels are chosen: {', '.join((*DECISIONS, *FORMS))}; the model's own decision if not given.",
        metavar="HOW",
        callback=_checked_decision,
    ),
]
Backend = Annotated[
    str, typer.Option(help="What runs the network.", metavar="auto|onnx|keras", callback=one_of("--backend", BACKENDS))
]
Precision = Annotated[
    str,
    typer.Option(
        help="Weights of the network in ONNX Runtime: auto is 8 bits where they are faster.",
        metavar="auto|float32",
        callback=one_of("--precision", PRECISIONS),
    ),
]
Labels = Annotated[Text, option("Labels to learn; all that occur if not given.", metavar="A,B,C")]
Keep = Annotated[Text, option("Labels to keep; all if not given.", metavar="A,B,C")]
Rest = Annotated[str, typer.Option("--other", help="Label of the lines whose own label is not kept.")]
Other = Annotated[Text, option("Label of all other lines, for instance Misc.")]
ConfigFile = Annotated[File, option("TOML file of settings; options on the command line override it.")]
Counted = Annotated[Text, option("Label that counts for lines of a label that the model does not know.", "--other")]
