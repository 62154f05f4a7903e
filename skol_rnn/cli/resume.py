"""``skol-rnn resume``: continue a stopped training."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from skol_rnn.cli.command_file import command_file, read_command
from skol_rnn.cli.common import COMMAND_LINE, OPTIONS, options_of, say
from skol_rnn.cli.train import train
from skol_rnn.errors import DataError


def resume(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            readable=False, help="The file of train --checkpoint.", show_default=False, metavar="CHECKPOINT"
        ),
    ],
) -> None:
    """Continue a training that was stopped, with the options of its command, which is in a file next to the checkpoint."""
    found = read_command(checkpoint)
    here = checkpoint.resolve()
    folder = (here.parent / found.folder).resolve()
    if (folder / found.checkpoint).resolve() != here or not folder.is_dir():
        raise DataError(
            f"{checkpoint} was moved: {command_file(checkpoint)} is about {folder / found.checkpoint}. "
            f"Give the whole command with the new places: skol-rnn {shlex.join(found.words)}"
        )
    where = "" if folder == Path.cwd() else f"In {folder}: "
    say(f"{where}skol-rnn {shlex.join(found.words)}")
    os.chdir(folder)
    app = typer.Typer()
    app.command()(train)
    command = typer.main.get_command(app)
    COMMAND_LINE[:] = found.words
    OPTIONS.clear()
    OPTIONS.update(options_of(command, found.words))
    if status := command.main(args=found.words[1:], standalone_mode=False, prog_name="skol-rnn train"):
        raise typer.Exit(status)
