"""``skol-rnn batch``: several settings by several data sets by several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skol_rnn.cli import options
from skol_rnn.cli.common import interrupted, print_json, same_command, say
from skol_rnn.cli.options import option
from skol_rnn.errors import SkolError
from skol_rnn.frameworks import choose_backend


def batch(
    config: Annotated[
        Path,
        typer.Argument(
            readable=False, help="TOML file with settings, data and seeds.", show_default=False, metavar="CONFIG"
        ),
    ],
    out: Annotated[
        options.File,
        option(
            "Folder for the results; the path of the file without ending if not given.",
            callback=options.output_folder("--out"),
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        option("Processes; half the cores if not given.", metavar="N", callback=options.at_least("--jobs", 1)),
    ] = None,
    json: options.Json = False,
) -> None:
    """Train and score several settings on several data sets with several seeds.

    Finished cells are kept: the same command continues a stopped run.
    """
    choose_backend()
    from skol_rnn.batch_evaluate.run import batch_evaluate

    out = config.with_suffix("") if out is None else out
    with interrupted(lambda: f"{out} holds the finished cells; the same command continues.\n{same_command()}"):
        result = batch_evaluate(config, out, jobs=jobs)
    if json:
        print_json({"folder": str(out), "cells": result.table.to_dict("records")})
    else:
        typer.echo(str(result))
        say(f"Saved the table to {out / 'table.csv'} and the page to {out / 'index.html'}")
    if result.failed:
        of = f"{len(result.failed)} of {len(result.cells)} cells failed"
        raise SkolError(f"{of}; {out / 'cells' / 'log.txt'} has the tracebacks.")
