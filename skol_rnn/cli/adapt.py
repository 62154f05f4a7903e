"""``skol-rnn adapt``: a few reviewed lines of a new collection improve a model for it."""

from __future__ import annotations

from typing import Annotated

import typer

from skol_rnn.cli import common, options
from skol_rnn.labels import UNLABELLED, LabelSet, printable


def adapt(
    model: options.ModelPath,
    reviewed: Annotated[
        list[str],
        typer.Argument(help="Reviewed files, folders or globs.", show_default=False, metavar="REVIEWED"),
    ],
    training: Annotated[
        list[str], typer.Option(help="The annotated documents that the model was trained on; repeat it for more paths.")
    ],
    out: options.ModelOut,
    unlabelled: Annotated[
        str,
        typer.Option(
            help="Lines of --training without a label: as the model was trained.",
            metavar="HOW",
            callback=options.one_of("--unlabelled", UNLABELLED),
        ),
    ] = "skip",
    fold_labels: options.FoldLabels = False,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    sign_key: options.SignKey = None,
    verify_key: options.VerifyKey = None,
    json: options.Json = False,
) -> None:
    """Improve a model for a new collection by a few reviewed lines of it, in some seconds, and save it as a new one."""
    from skol_rnn.training.adapting import adaptation, check_adaptable

    key = common.key_of(sign_key)
    common.once(reviewed, training)
    bundle = common.open_model(model, verify_key)
    state = bundle.state
    check_adaptable(state["parameters"])
    new, old = (
        common.read(paths, common.format_of(input_format, others), strict, fold_labels=fold_labels)
        for paths, others in ((reviewed, training), (training, reviewed))
    )
    # What is wrong with the documents is said before TensorFlow loads.
    rows = adaptation((new, None), (old, None), LabelSet(tuple(state["labels"])), state["other"], unlabelled)
    with common.results_on_stderr(json):
        adapted = common.load(bundle)._adapted_to(rows)
        adapted.save(out, key)
        typer.echo(printable(f"Saved the adapted model to {out}"))
    if json:
        documents = rows.read_documents()["doc_id"].nunique()
        common.print_json(
            {"model": str(out), "lines": rows.lines, "documents": documents, "replayed": len(rows.replayed)}
        )
