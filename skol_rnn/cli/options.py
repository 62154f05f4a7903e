"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

FORMATS = "yedda, text, jsonl, csv, parquet, ptc, brat or bio"

Paths = Annotated[list[str], typer.Argument(help="Files, folders or globs.", show_default=False)]
ModelPath = Annotated[Path, typer.Argument(help="A saved model, folder or file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else there.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse files with damaged markup instead of repairing them.")]
InputFormat = Annotated[str | None, typer.Option("--input-format", help=f"Read all files as {FORMATS}.")]
Unit = Annotated[str, typer.Option(help="What gets a label.", metavar="line|token")]
OVERLAP = "longest|first|priority|error"
Overlap = Annotated[str, typer.Option(help="Which of two overlapping spans is kept.", metavar=OVERLAP)]
Offsets = Annotated[str, typer.Option(help="What offsets of spans count.", metavar="characters|utf-16")]
FoldLabels = Annotated[
    bool, typer.Option("--fold-labels", help="Merge labels that differ in case, blanks or Unicode form only.")
]
Priority = Annotated[list[str] | None, typer.Option(help="Type for --overlap priority, most important first; repeat.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Allowed span type; repeat it for more.")]
Text = str | None
File = Path | None


def option(text: str, *names: str, **settings: Any) -> Any:
    """Describe an option whose help says what happens without it."""
    return typer.Option(*names, help=text, show_default=False, **settings)


DECISIONS = "auto|corrected|argmax|tuned|viterbi"
Decision = Annotated[Text, option("How labels are chosen; the model's own decision if not given.", metavar=DECISIONS)]
Labels = Annotated[Text, option("Labels to learn; all that occur if not given.", metavar="A,B,C")]
Keep = Annotated[Text, option("Labels to keep; all if not given.", metavar="A,B,C")]
Rest = Annotated[str, typer.Option("--other", help="Label of the lines whose own label is not kept.")]
Other = Annotated[Text, option("Label of all other lines, for instance Misc.")]
ConfigFile = Annotated[File, option("TOML file of settings; options on the command line override it.")]
