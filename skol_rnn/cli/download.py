"""``skol-rnn download``: the sample and the public corpora that the package knows."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from skol_rnn.cli import options
from skol_rnn.cli.common import counted, say
from skol_rnn.cli.options import option
from skol_rnn.datasets import BASE_URL, CORPORA, JOURNAL_FILES, SUMS, download_journals, sample_corpus
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, plural


def download(
    corpus: Annotated[str, typer.Argument(help="Which one; without a name they are listed.", metavar="NAME")] = "",
    out: Annotated[
        Path | None,
        option(
            "Folder for the files; NAME in the current folder if not given.", callback=options.output_folder("--out")
        ),
    ] = None,
    only: Annotated[str, typer.Option(help="Pattern of the files to download.", metavar="PATTERN")] = "*",
    url: Annotated[str, option("Address of a copy of the journals; where they are published if not given.")] = BASE_URL,
) -> None:
    """Download a corpus of annotated documents; files that are there with the right checksum stay."""
    if not corpus:
        for name, (content, licence) in CORPORA.items():
            typer.echo(f"{name}: {content}\n  Licence: {licence}")
        return
    check_choice("NAME", corpus, tuple(CORPORA))
    out = out or Path(corpus)
    if corpus == "sample":
        say(f"Licence: {CORPORA[corpus][1]}")
        sample_corpus(out)
        files = sorted(out.glob("*/*.ann"))
    else:
        options.require("pooch", "Downloading needs pooch: install it with pip install 'skol_rnn[data]'.")
        say(f"Licence: {CORPORA[corpus][1]}")
        names = [name for name in JOURNAL_FILES if fnmatchcase(name, only)]
        if not names:
            raise DataError(f"No file matches {only!r}; names are such as {JOURNAL_FILES[0]}.")
        logging.getLogger("pooch").setLevel(logging.WARNING)
        # One file at a time: an interrupted download continues with the next one.
        for name in counted(names, "Downloading", len(names)):
            download_journals(out, base_url=url, registry={name: None})
        files = [out / name for name in names]
        say(f"Checksums of the files are in {out / SUMS}.")
    say(f"{plural(len(files), 'document')} in {out}")
