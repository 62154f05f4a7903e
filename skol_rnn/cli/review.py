"""``skol-rnn review``: choose lines for a person, merge the corrections, and say when to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from skol_rnn.cli import common, options
from skol_rnn.cli.options import option
from skol_rnn.inference.backends import chosen_backend
from skol_rnn.labels import plural

review = typer.Typer(
    name="review",
    help="Correct the lines that are most worth a person's time: start a round, merge its corrections, see its status.",
    no_args_is_help=True,
)

Round = Annotated[Path, typer.Argument(help="Folder of a round.", show_default=False, metavar="ROUND")]


def lines_to_choose(value: str) -> float:
    """Read a number of lines, or a share as 0.05 or 5%."""
    try:
        number = float(value.removesuffix("%")) / 100 if value.endswith("%") else float(value)
    except ValueError:
        number = -1
    if not number > 0 or (value.endswith("%") and number >= 1) or (number > 1 and number != int(number)):
        raise ValueError(f"--lines takes a number such as 200 or a share such as 5%, not {value!r}.")
    return number


@review.command()
def start(
    model: options.ModelPath,
    paths: options.Paths,
    out: Annotated[Path, typer.Option(help="New folder for the round.", callback=options.output_folder("--out"))],
    lines: Annotated[str, typer.Option(help="Lines to choose: a number, or a share such as 5%.", metavar="N")] = "100",
    important: Annotated[
        options.Text, option("Labels whose errors count; all but the most frequent if not given.", metavar="A,B")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the order of equal lines.", callback=options.seed)] = 0,
    after: Annotated[
        list[Path] | None, option("An earlier round, whose lines are not chosen again; repeat it for more.")
    ] = None,
    other: options.Counted = None,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
    json: options.Json = False,
) -> None:
    """Choose lines, and write a page and task files to review them."""
    number = lines_to_choose(lines)
    bundle = common.open_model(model, verify_key)
    from skol_rnn.review.start import start_review, unlikely

    with common.loading(chosen_backend(bundle, "auto") == "keras"):
        found = start_review(
            model, paths, out, lines=number, important=common.names(important), seed=seed, after=after or (),
            other=other, format=input_format, strict=strict,
        )  # fmt: skip
    missing = unlikely(found)
    if json:
        common.print_json({"round": str(out), "id": found.id, "lines": len(found.lines), "unlikely": missing})
        return
    common.say(f"Chose {plural(len(found.lines), 'line')} of {plural(len(found.documents), 'document')}.")
    for name in missing:
        common.say(f"No line is likely to be {name}: these lines come nearest.")
    common.say(f"Open {found.page} in a browser; tasks for Label Studio, doccano and brat are in {out}.")


@review.command()
def merge(
    round: Round,
    corrections: Annotated[
        list[Path],
        typer.Argument(
            help="Files that the page, Label Studio or doccano exported, or the folder of brat's tasks.",
            show_default=False,
            metavar="CORRECTIONS",
        ),
    ],
    out: Annotated[
        options.File,
        option("Folder for annotated copies of files without annotation.", callback=options.output_folder("--out")),
    ] = None,
    json: options.Json = False,
) -> None:
    """Apply corrections to the annotated files; nothing else in them changes, and after an error nothing at all."""
    from skol_rnn.review.merge import merge_review

    found = merge_review(round, corrections, out)
    if json:
        counts = {"corrected": found.corrected, "confirmed": found.confirmed, "repeated": found.repeated}
        common.print_json({"files": [str(path) for path in found.files], **counts})
    else:
        common.say(str(found))
        if any(out in path.parents for path in found.files):
            common.say(
                f"{out} holds annotated copies: train with --unlabelled ignore, so that unread lines teach nothing."
            )


@review.command()
def status(
    rounds: Annotated[list[Path], typer.Argument(help="Folders of rounds.", show_default=False, metavar="ROUNDS")],
    chart: Annotated[options.File, option("File for the budget curve: .png or .svg.")] = None,
    json: options.Json = False,
) -> None:
    """Say what was found, how many lines are still unfound, and when to stop."""
    if chart is not None:
        from skol_rnn.persistence.figures import check_figure_path

        check_figure_path(chart)
    from skol_rnn.review.status import review_status

    found = review_status(rounds)
    if chart is not None:
        from skol_rnn.persistence.figures import save_figure

        drawn: Any = found.plot()
        common.say(f"Wrote {save_figure(drawn.figure, chart)}")
    if json:
        common.print_json(found.as_dict())
    else:
        typer.echo(str(found))
