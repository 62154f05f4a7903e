"""The command ``skol-rnn``: it runs a command, and turns an error into one sentence and an exit status."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import typer

from skol_rnn import __version__
from skol_rnn.cli.common import COMMAND_LINE, OPTIONS, in_options, options_of, say, warnings_as_lines
from skol_rnn.errors import SkolError
from skol_rnn.frameworks import installed_versions
from skol_rnn.labels import printable

OK, FAILED, USAGE, BAD_DATA, INTERRUPTED, CLOSED_PIPE, TERMINATED = 0, 1, 2, 3, 130, 141, 143
_STATUSES = ((SkolError, BAD_DATA), ((ValueError, TypeError), USAGE), (ImportError, FAILED))

_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)

COMMANDS = {
    "train": "train", "resume": "resume", "adapt": "adapt", "predict": "predict", "evaluate": "predict",
    "estimate": "estimate", "audit": "audit", "report": "report", "compare": "report", "batch": "batch", "info": "info",
    "weights": "weights", "tune": "tune", "init-config": "config", "validate": "data", "convert": "data",
    "spans": "spans", "records": "records", "download": "download", "demo": "demo", "review": "review",
}  # fmt: skip
"""Module of each command, imported when the command is needed: all of them take a tenth of a second."""


def command_of(name: str) -> Any:
    """Return the function of a command, or the group of commands of that name."""
    return getattr(importlib.import_module(f"skol_rnn.cli.{COMMANDS[name]}"), name.replace("-", "_"))


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Build the command line with some of its commands."""
    app = typer.Typer(
        name="skol-rnn",
        help="Label every line of a document when the class that matters is a hundred times rarer than the rest.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in map(command_of, names):
        if isinstance(command, typer.Typer):
            app.add_typer(command)
        else:
            app.command()(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        libraries = installed_versions("tensorflow", "torch", "jax", "keras", "onnxruntime", "numpy")
        versions = {"skol_rnn": __version__, **libraries}
        typer.echo("  ".join(f"{name} {version}" for name, version in versions.items()))
        raise typer.Exit


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
    """Note Ctrl-C and the signal to end, since libraries in C can turn a KeyboardInterrupt into an error of their own."""
    noted: list[int] = []

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    # Only the main thread may set a handler, and another one than Python's is the caller's.
    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    main = threading.current_thread() is threading.main_thread()
    replaced = [number for number, handler in usual.items() if main and signal.getsignal(number) is handler]
    for number in replaced:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number in replaced:
            signal.signal(number, usual[number])


def _status(words: list[str], debug: bool) -> int:
    COMMAND_LINE[:] = [word for word in words if word != "--debug"]
    OPTIONS.clear()
    OPTIONS.update(_options_of(words))
    with _noted_interrupts() as noted:
        status = _run(words, debug)
        if status == INTERRUPTED or (noted and status == FAILED):
            if signal.SIGTERM in noted:
                return _fail("Terminated.", TERMINATED)
            return _fail("Interrupted.", INTERRUPTED)
    return status


def _refuse_empty_values(words: list[str]) -> None:
    """Refuse an option without a value: as a path, an empty one would be the current folder."""
    for option, value in zip(words, words[1:], strict=False):
        if option.startswith("--") and "=" not in option and not value.strip():
            raise ValueError(f"{option} has an empty value: check the variable that it came from.")
    for word in words:
        if word.startswith("--") and word.endswith("="):
            raise ValueError(f"{word[:-1]} has an empty value: check the variable that it came from.")


def _run(words: list[str], debug: bool) -> int:
    try:
        _refuse_empty_values(words)
        with warnings_as_lines():
            status = _command_line(words)(args=words, standalone_mode=False, prog_name="skol-rnn")
            sys.stdout.flush()  # a full disk is found now, not when Python ends
        return status or OK  # Typer turns Ctrl-C into the status 130 and prints nothing
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        # Errors of the parser show the usage line too; the base class has only a message.
        if show := getattr(error, "show", None):
            message = printable(error.format_message())
            error.format_message = lambda: message  # type: ignore[method-assign]
            show()
            return USAGE
        return _fail(error.format_message(), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # As in `| head`: whoever read the results has enough of them.
        _close_standard_output()
        return CLOSED_PIPE
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explained(error)


def _close_standard_output() -> None:
    """Let Python end without an error about what it could not print."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explained(error: Exception) -> int:
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, SkolError) and error.strerror:
        # Files are opened and written with their names: what has none is standard output.
        if error.filename is None and error.errno in _OF_WRITING:
            _close_standard_output()
            return _fail(f"Standard output cannot be written: {error.strerror}.", FAILED)
        if error.filename is not None:
            return _fail(f"{os.fsdecode(error.filename)} cannot be read or written: {error.strerror}.", FAILED)
    for kinds, status in _STATUSES:
        if isinstance(error, kinds):
            return _fail(message if status == FAILED else in_options(message), status)
    return _fail(f"{type(error).__name__}: {message} (run again with --debug for the traceback)", FAILED)


def _command_line(words: list[str]) -> Any:
    """Return what parses these words: with all commands only for help and errors."""
    name = next((word for word in words if not word.startswith("-")), "")
    return _parser((name,) if name in COMMANDS else tuple(COMMANDS))


@cache
def _parser(names: tuple[str, ...]) -> Any:
    return typer.main.get_command(application(names))


def _options_of(words: list[str]) -> dict[str, str]:
    """Return the options of the command on a command line, by the names that Python has for them."""
    commands = getattr(_command_line(words), "commands", {})
    command = next((commands[word] for word in words if word in commands), None)
    within = getattr(command, "commands", {})  # of a group, such as review
    command = next((within[word] for word in words if word in within), command)
    return options_of(command, words)


def _fail(message: str, status: int) -> int:
    say(f"skol-rnn: {message}")
    return status
