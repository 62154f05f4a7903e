"""The command ``skol-rnn``: it runs a command, and turns an error into one sentence and an exit status."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from skol_rnn import __version__
from skol_rnn.cli.batch import batch
from skol_rnn.cli.common import say, warnings_as_lines
from skol_rnn.cli.data import convert, validate
from skol_rnn.cli.demo import demo
from skol_rnn.cli.download import download
from skol_rnn.cli.info import info
from skol_rnn.cli.predict import evaluate, predict
from skol_rnn.cli.report import compare, report
from skol_rnn.cli.spans import spans
from skol_rnn.cli.train import train
from skol_rnn.cli.tune import tune
from skol_rnn.cli.weights import weights
from skol_rnn.errors import SkolError

OK, FAILED, USAGE, BAD_DATA, INTERRUPTED = 0, 1, 2, 3, 130
_STATUSES = ((SkolError, BAD_DATA), ((ValueError, TypeError), USAGE), (ImportError, FAILED))

app = typer.Typer(
    name="skol-rnn",
    help="Label every line of a document when the class that matters is a hundred times rarer than the rest.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    train, predict, evaluate, report, compare, batch, info, weights, tune, validate, convert, spans, download, demo
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        libraries = []
        for name in ("tensorflow", "keras", "onnxruntime", "numpy"):
            with contextlib.suppress(PackageNotFoundError):  # prediction needs no TensorFlow
                libraries.append(f"{name} {version(name)}")
        typer.echo("  ".join([f"skol_rnn {__version__}", *libraries]))
        raise typer.Exit


@app.callback()
def _options(
    _: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print versions and stop."),
    debug: bool = typer.Option(False, "--debug", help="Show the whole traceback of an error."),
) -> None:
    """Options before the command."""


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    # --debug works anywhere: it is usually appended to a command that has just failed.
    words = (["--debug"] if debug else []) + [word for word in words if word != "--debug"]
    sys.exit(_status(words, debug))


@contextlib.contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """Note Ctrl-C, since libraries in C can turn the KeyboardInterrupt into an error of their own."""
    noted: list[int] = []

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    # Only the main thread may set a handler, and another one than Python's is the caller's.
    replaced = threading.current_thread() is threading.main_thread()
    replaced = replaced and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if replaced:
        signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        if replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _status(words: list[str], debug: bool) -> int:
    with _noted_interrupts() as noted:
        status = _run(words, debug)
    return _fail("Interrupted.", INTERRUPTED) if noted and status == FAILED else status


def _run(words: list[str], debug: bool) -> int:
    try:
        with warnings_as_lines():
            status = app(args=words, standalone_mode=False, prog_name="skol-rnn")
        # Typer turns Ctrl-C into this status and prints nothing.
        return _fail("Interrupted.", INTERRUPTED) if status == INTERRUPTED else status or OK
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        # Errors of the parser show the usage line too; the base class has only a message.
        if show := getattr(error, "show", None):
            show()
            return USAGE
        return _fail(error.format_message(), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Interrupted.", INTERRUPTED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        message = str(error) or type(error).__name__
        for kinds, status in _STATUSES:
            if isinstance(error, kinds):
                return _fail(message, status)
        return _fail(f"{type(error).__name__}: {message} (run again with --debug for the traceback)", FAILED)


def _fail(message: str, status: int) -> int:
    say(f"skol-rnn: {message}")
    return status
