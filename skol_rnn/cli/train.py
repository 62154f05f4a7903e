"""``skol-rnn train``: each parameter of the model is an option, and its documentation is the help."""

from __future__ import annotations

import contextlib
import inspect
import re
import shlex
import warnings
from collections.abc import Mapping
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from skol_rnn.batch_evaluate.config import read_toml
from skol_rnn.cli import options
from skol_rnn.cli.command_file import is_of_this_command, remember
from skol_rnn.cli.common import (
    check_labels,
    format_of,
    interrupted,
    key_of,
    log_in_options,
    names,
    once,
    print_json,
    read,
    results_on_stderr,
    same_command,
    say,
)
from skol_rnn.cli.options import option
from skol_rnn.data.bio import is_bio
from skol_rnn.errors import DataError, LabelWarning
from skol_rnn.frameworks import choose_backend
from skol_rnn.imbalance.class_weights import is_frozen_file
from skol_rnn.imbalance.strategies import STRATEGIES
from skol_rnn.inference.quiet import quiet_tensorflow
from skol_rnn.labels import UNLABELLED, plural, printable, suggestion
from skol_rnn.training.checkpoint import check_place, files_of
from skol_rnn.training.parameters import FORMER, PARAMETERS, REMOVED, ModelParameters, current_names, values_of
from skol_rnn.training.settings import INSTANT, resolve

PANELS = {
    "Imbalance": "loss focal_labels sampling decision calibration monitor",
    "Training": "batch_size learning_rate min_updates patience validation_fraction folds ensemble_size refit checkpoint",
    "Network": "vectors vector_layers input_size line_size hidden_size num_layers dropout feature_dropout linear_share",
    "Windows": "window_size stride prediction_window_size prediction_stride prediction_batch_size",
    "Columns and output": "features_col label_col line_no_col name verbosity unlabelled overlap offsets fold_labels input_format strict json",
}
"""Panels of the help; what is in none of them is shown first."""
_PANEL_OF = {name: panel for panel, members in PANELS.items() for name in members.split()}

_HIDDEN = {name: int if name == "members" else str if name in REMOVED else float for name in FORMER} | {"weights": str}
"""Options of former settings, accepted for one version with a FutureWarning, and their types."""

_LISTS = ("important", "focal_labels")
_METAVARS = {
    **dict.fromkeys(_LISTS, "A,B"),
    "class_weights": "WEIGHTS",
    **dict.fromkeys(("preset", "decision", "calibration"), "HOW"),
    "vectors": "FOLDER",
    "vector_layers": "2,4,6",
}
_TWO_SENTENCES = ("class_weights", "loss", "sampling", "monitor", "input_size")
"""Parameters whose values or defaults are in the second sentence of their documentation."""


def train(
    paths: options.Paths,
    out: options.ModelOut,
    labels: options.Labels = None,
    other: options.Other = None,
    dev: Annotated[list[str] | None, option("Validation documents; repeat it for more paths.")] = None,
    config: options.ConfigFile = None,
    checkpoint: Annotated[
        options.File,
        option(
            "File written after each epoch, and once a minute; a stopped training resumes from it.",
            callback=options.output_file("--checkpoint", "run.npz", standard=False),
        ),
    ] = None,
    unlabelled: Annotated[
        str,
        typer.Option(
            help="Lines without a label, with --other: skip leaves out documents without any and gives the others that label, "
            "other gives it to all, ignore learns none of them.",
            metavar="HOW",
            callback=options.one_of("--unlabelled", UNLABELLED),
        ),
    ] = "skip",
    overlap: options.Overlap = "error",
    offsets: options.Offsets = "characters",
    fold_labels: options.FoldLabels = False,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    sign_key: options.SignKey = None,
    json: options.Json = False,
    **parameters: Any,
) -> None:
    """Train a model on annotated documents and save it."""
    # TensorFlow loads only after all that can be checked without it.
    from skol_rnn.data.inputs import choose_labels, labelled_table
    from skol_rnn.data.inputs import fold_labels as folded
    from skol_rnn.training.checks import check_against_labels, check_instant_run, check_parameters

    key = key_of(sign_key)
    if checkpoint:
        check_place(checkpoint)
    once(paths, dev)
    settings = read_settings(config, {"labels": names(labels), "other": other, **parameters})
    how = {key: settings.pop(key, None) for key in ("labels", "other")}
    unit = settings.get("unit", "line")
    values = values_of(ModelParameters(**settings))
    check_parameters(values)
    check_instant_run(values["preset"], checkpoint)
    network = values["preset"] != INSTANT
    if network:
        choose_backend()
    if network and (lacking := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]):
        say(f"Without {' and '.join(lacking)} the model will predict with Keras only: pip install {' '.join(lacking)}")
    corpus = read(paths, format_of(input_format, dev), strict, unit, overlap, fold_labels=fold_labels, offsets=offsets)
    validation = (
        read(dev, format_of(input_format, paths), strict, unit, overlap, fold_labels=fold_labels, offsets=offsets)
        if dev
        else None
    )
    column = labelled_table(corpus, unit=unit)["label"]
    check_labels(column, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)  # fit says it
        chosen = choose_labels(column, **how, what=unit)
    check_against_labels(resolve(values, is_bio(chosen)), chosen)
    folded(column, chosen, how["other"], "the training data")
    if validation:
        folded(labelled_table(validation, unit=unit)["label"], chosen, how["other"], "the validation data")
    if checkpoint and options.STANDARD not in (*paths, *(dev or ())):
        weights = settings.get("class_weights")
        files = [config, Path(weights) if isinstance(weights, str) and is_frozen_file(weights) else None]
        remember(checkpoint, (*corpus, *(validation or ())), filter(None, files))
    with results_on_stderr(json), log_in_options(), interrupted(lambda: _how_to_go_on(checkpoint)):
        with quiet_tensorflow() if network else contextlib.nullcontext():
            from skol_rnn.model import RNNSkolModel
        model = RNNSkolModel(**settings)
        model.fit(corpus, **how, unlabelled=unlabelled, validation=validation, checkpoint=checkpoint, strict=strict)
        model.save(out, key)
        if not dev and (documents := model.validation_documents_):
            named = ", ".join(documents[:3]) + (", ..." if len(documents) > 3 else "")
            refit = ", included in the refit" if model.card_["split"]["refit"] else ""
            typer.echo(printable(f"Validation set: {plural(len(documents), 'document')} ({named}){refit}."))
        typer.echo(printable(f"Saved the model to {out}"))
    if json:
        scores = {"validation_documents": model.validation_documents_, "history": model.history_}
        print_json({"model": str(out), "labels": model.labels_, "parameters": model.get_params(), **scores})


def _how_to_go_on(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "Nothing is saved. With --checkpoint FILE, a stopped training continues where it was."
    command = same_command()
    if is_of_this_command(checkpoint):
        command = f"skol-rnn resume {shlex.quote(str(checkpoint.absolute()))}"
    if not files_of(checkpoint):
        return f"{checkpoint} is not written yet; this starts again:\n{command}"
    return f"{checkpoint} holds the training so far; this continues it:\n{command}"


def read_settings(config: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Join the settings of a TOML file with the options of the command line, which override them."""
    settings = {} if config is None else _current(_settings_of(config))
    given = {key: value for key, value in options.items() if value is not None}
    given |= {key: names(given[key]) for key in _LISTS if key in given}
    if "vector_layers" in given:
        given["vector_layers"] = _whole_numbers("--vector-layers", given["vector_layers"])
    if "weights" in given:
        if "class_weights" in given:
            raise typer.BadParameter("--weights is the former name of --class-weights: give --class-weights alone.")
        say("FutureWarning: --weights is now --class-weights, and will be removed in the next version.")
        given["class_weights"] = given.pop("weights")
    settings = _current({**settings, **given})
    if isinstance(weights := settings.get("class_weights"), str):
        settings["class_weights"] = parse_class_weights(weights)
    return settings


def _settings_of(path: Path) -> dict[str, Any]:
    settings = read_toml(path)
    allowed = ("labels", "other", *PARAMETERS)
    for key in settings:
        if key not in allowed and key not in FORMER:
            raise DataError(f"{path}: unknown setting {key!r}.{suggestion(key, allowed)}")
    return settings


def _current(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Replace former settings, with a warning for each."""
    former = {key: value for key, value in settings.items() if key in FORMER}
    kept = {key: value for key, value in settings.items() if key not in FORMER}
    unset = {key: "auto" for key in ("class_weights", "loss") if key not in kept}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = current_names(former, unset | kept, stacklevel=2)
    for warning in caught:
        say(f"FutureWarning: {warning.message}")
    return {key: value for key, value in found.items() if key not in unset or value != "auto"}


def parse_class_weights(text: str) -> str | dict[str, float] | None:
    """Read ``--class-weights``: a strategy with its options, none, pairs of label and weight, or a saved file."""
    if text == "none":
        return None
    name = text.partition(":")[0]
    if name == "auto" or name in STRATEGIES or is_frozen_file(text):
        return text
    if "=" not in text:
        allowed = f"{', '.join(STRATEGIES)}, none, Label=number pairs or a saved .json file"
        hint = suggestion(name, STRATEGIES)
        raise typer.BadParameter(f"--class-weights must be one of {allowed}, but is {text!r}.{hint}")
    parsed: dict[str, float] = {}
    for part in text.split(","):
        label, _, number = part.rpartition("=")  # a label may contain "="
        try:
            parsed[label.strip()] = float(number)
        except ValueError:
            label = ""
        if not label.strip():
            raise typer.BadParameter(f"--class-weights needs Label=number,Label=number, but has {part!r}.")
    return parsed


def _whole_numbers(name: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"{name} must be whole numbers with commas between them, such as 2,4,6, but is {text!r}.")
    return [int(part) for part in parts]


def documented() -> dict[str, tuple[str | None, list[str]]]:
    """Read the choices and the sentences of each parameter from the docstring of the model."""
    text = (inspect.getdoc(ModelParameters) or "").partition("\nAttributes\n")[0].replace("``", "")
    entries = {}
    for name, kind, body in re.findall(r"^(\w+) : (.*)\n((?: {4}.*\n)+)", text, re.MULTILINE):
        choices = kind[1 : kind.index("}")].replace(", ", "|").replace('"', "") if kind.startswith("{") else None
        entries[name] = (choices, re.split(r"(?<=\.)\s+", " ".join(body.split())))
    return entries


def _model_option(parameter: inspect.Parameter, choices: str | None, sentences: list[str]) -> inspect.Parameter:
    """Turn a parameter of the model into an option that is None where it is not given."""
    name, default = parameter.name, parameter.default
    kind = {"int": int, "float": float, "bool": bool}.get(str(parameter.annotation).partition(" ")[0], str)
    text = " ".join(sentences[: 2 if name in _TWO_SENTENCES else 1]).replace('"', "")
    described = option(
        text if default is None else f"{text.removesuffix('.')} (default: {default}).",
        *(["--seed"] if name == "random_state" else []),
        metavar=_METAVARS.get(name, choices),
        callback=options.seed if name == "random_state" else None,
        rich_help_panel=_PANEL_OF.get(name),
    )
    return _keyword(name, Annotated[kind | None, described])


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _in_panel(parameter: inspect.Parameter) -> inspect.Parameter:
    described = copy(parameter.annotation.__metadata__[0])
    described.rich_help_panel = _PANEL_OF[parameter.name]
    return parameter.replace(annotation=Annotated[parameter.annotation.__origin__, described])


def _signature() -> inspect.Signature:
    """Join the options of the command, of the model, and the former ones; the help shows them in this order."""
    own = [p for p in inspect.signature(train, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    described, parameters = documented(), inspect.signature(ModelParameters.__init__).parameters
    model = [_model_option(parameters[name], *described.get(name, (None, []))) for name in PARAMETERS]
    hidden = [_keyword(name, Annotated[kind | None, typer.Option(hidden=True)]) for name, kind in _HIDDEN.items()]
    first = [p for p in own if p.name not in _PANEL_OF]
    in_panels = [_in_panel(p) for p in own if p.name in _PANEL_OF]
    return inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in (*first, *model, *in_panels, *hidden)])


train.__signature__ = _signature()  # type: ignore[attr-defined]
