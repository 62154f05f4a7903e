"""``skol-rnn audit``: annotations that contradict models of other lines, as a round of review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skol_rnn.cli import common, options
from skol_rnn.cli.options import option
from skol_rnn.cli.review import lines_to_choose
from skol_rnn.frameworks import choose_backend
from skol_rnn.labels import plural, printable
from skol_rnn.training.settings import INSTANT, PRESETS

_MOST_SHOWN = 10


def audit(
    paths: options.Paths,
    out: Annotated[Path, typer.Option(help="New folder for the round.", callback=options.output_folder("--out"))],
    labels: options.Labels = None,
    other: Annotated[options.Text, option("Label of the lines whose own label is not among --labels.")] = None,
    lines: Annotated[str, typer.Option(help="Lines to choose: a number, or a share such as 5%.", metavar="N")] = "100",
    preset: Annotated[
        str,
        typer.Option(
            help=f"The network: {', '.join(PRESETS)}; instant trains none.",
            metavar="HOW",
            callback=options.one_of("--preset", PRESETS),
        ),
    ] = "default",
    folds: Annotated[int, typer.Option(help="Folds, each predicted by models of the others.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the training.", callback=options.seed)] = 0,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    json: options.Json = False,
) -> None:
    """Find errors of an annotation: train on other lines, and list those that contradict what they predict."""
    number = lines_to_choose(lines)
    network = preset != INSTANT
    if network:
        choose_backend()
    corpus = common.read(paths, input_format, strict)
    common.check_labels((label for one in corpus for label in one.labels or ()), common.names(labels), other)
    from skol_rnn.review.audit import annotated, start_audit

    corpus = annotated(corpus)

    with common.loading(network):
        found = start_audit(
            corpus, out, lines=number, labels=common.names(labels), other=other, folds=folds, preset=preset,
            random_state=seed, verbosity=0 if json else 1, format=input_format, strict=strict,
        )  # fmt: skip
    if json:
        common.print_json({"round": str(out), "id": found.id, "lines": len(found.lines)})
        return
    for line in found.lines[:_MOST_SHOWN]:
        document = found.documents[line.document].name
        typer.echo(printable(f"{document}:{line.line}  {line.label} -> {line.predicted}  {line.text}"))
    common.say(
        f"Chose {plural(len(found.lines), 'line')} of {plural(len(found.documents), 'document')}, the most doubtful first."
    )
    common.say(f"Open {found.page} in a browser, and apply corrections with `skol-rnn review merge {out}`.")
