"""``skol-rnn train``."""

from __future__ import annotations

import contextlib
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skol_rnn.cli.common import InputFormat, Json, Overlap, Paths, Strict, names, print_json, quiet_tensorflow, read
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    import pandas as pd

Integer = int | None
Number = float | None
Text = str | None

MODEL_OPTIONS = (
    "input_size",
    "hidden_size",
    "num_layers",
    "dropout",
    "window_size",
    "stride",
    "prediction_stride",
    "prediction_batch_size",
    "batch_size",
    "epochs",
    "num_workers",
    "features",
    "features_col",
    "label_col",
    "line_no_col",
    "verbosity",
    "name",
    "weight_alpha",
    "weight_beta",
    "max_weight_ratio",
    "steep_weights",
    "loss",
    "gamma",
    "tau",
    "label_smoothing",
    "decision",
    "calibration",
    "tuning_folds",
    "monitor",
    "patience",
    "min_updates",
    "validation_fraction",
    "learning_rate",
    "feature_dropout",
    "linear_share",
    "line_size",
    "merge",
    "preset",
    "members",
    "refit",
    "unit",
)
"""Parameters of ``RNNSkolModel`` that are options as they are; the rest have a form of their own."""
OTHER_SETTINGS = ("class_weights", "focal_labels", "important", "labels", "other", "random_state", "sampling")
"""What a configuration file may hold beside :data:`MODEL_OPTIONS`."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def _option(text: str) -> Any:
    return typer.Option(help=text, show_default=False)


def train(
    context: typer.Context,
    paths: Paths,
    out: Annotated[Path, typer.Option(help="Where the model goes: a folder, or a file ending in .skol or .zip.")],
    labels: Annotated[Text, _option("Labels to learn, A,B,C; all that occur if not given.")] = None,
    other: Annotated[Text, _option("Label of all other lines, say Misc.")] = None,
    dev: Annotated[list[str] | None, _option("Documents that choose the best epoch; repeatable.")] = None,
    important: Annotated[Text, _option("Labels that count, A,B; all but the most frequent if not given.")] = None,
    class_weights: Annotated[Text, _option("Weights by label, A=10,B=5.")] = None,
    weights: Annotated[
        Text,
        _option(
            "Weights by strategy: none (the default of lines), smoothed (of tokens), inverse, balanced, effective, log, aggressive; or a file that skol-rnn weights --save wrote."
        ),
    ] = None,
    focal_labels: Annotated[Text, _option("Labels whose soft F1 the loss adds, A,B; not with weights.")] = None,
    config: Annotated[Path | None, _option("TOML file of these settings; options on the line win.")] = None,
    seed: Annotated[Integer, _option("Seed of everything random (default: 0).")] = None,
    checkpoint: Annotated[Path | None, _option("File written after each epoch; training goes on from it.")] = None,
    input_size: Annotated[Integer, _option("Length of a line's vector (default: 64 for hashed features).")] = None,
    hidden_size: Annotated[Integer, _option("LSTM units in each direction (default: 96).")] = None,
    num_layers: Annotated[Integer, _option("Stacked BiLSTM layers (default: 2; tokens: 1).")] = None,
    dropout: Annotated[
        Number, _option("Share of activations left out in training (default: 0 for hashed lines; else 0.3).")
    ] = None,
    window_size: Annotated[Integer, _option("Lines in a window (default: 15; tokens: 128).")] = None,
    stride: Annotated[
        Integer, _option("Lines from window to window in training (default: a third of the window; tokens: half).")
    ] = None,
    prediction_stride: Annotated[
        Integer, _option("The same in prediction (default: two thirds of the window; tokens: half).")
    ] = None,
    prediction_batch_size: Annotated[Integer, _option("Windows predicted at a time (default: 256).")] = None,
    batch_size: Annotated[Integer, _option("Windows in a training batch (default: 64; tokens: 32).")] = None,
    preset: Annotated[
        Text,
        _option("fast, best: what --epochs, --members and --refit are where they are not given (default: default)."),
    ] = None,
    epochs: Annotated[Integer, _option("Passes over the training windows, at most (default: the preset's).")] = None,
    members: Annotated[
        Integer, _option("Networks trained side by side, in one, and averaged (default: the preset's).")
    ] = None,
    refit: Annotated[
        bool | None,
        _option("Train anew on all documents once those held out have judged (default: the preset's)."),
    ] = None,
    num_workers: Annotated[Integer, _option("Threads that gather batches (default: 1).")] = None,
    features: Annotated[
        Text,
        _option(
            "hashed (the default), tfidf, word2vec, fasttext, doc2vec or vectors; of tokens also ngrams and characters."
        ),
    ] = None,
    features_col: Annotated[Text, _option("Column of ready vectors (default: features).")] = None,
    label_col: Annotated[Text, _option("Column of labels in tables (default: label).")] = None,
    line_no_col: Annotated[Text, _option("Column of line numbers in tables (default: line_number).")] = None,
    verbosity: Annotated[Integer, _option("0 silent, 1 an epoch a line, 2 every warning (default: 1).")] = None,
    name: Annotated[Text, _option("Name of the model (default: RNN_BiLSTM).")] = None,
    weight_alpha: Annotated[Number, _option("Exponent of smoothed weights (default: 0.5).")] = None,
    weight_beta: Annotated[Number, _option("Of effective weights, nearer 1 is steeper (default: 0.999).")] = None,
    max_weight_ratio: Annotated[Number, _option("Largest weight of a strategy, in multiples of its smallest.")] = None,
    steep_weights: Annotated[
        Text, _option("Where weights beyond the ratio of the counts act: margins (the default) or loss.")
    ] = None,
    loss: Annotated[
        Text, _option("auto (the default), cross_entropy, focal, class_balanced_focal, soft_f1 or logit_adjusted.")
    ] = None,
    gamma: Annotated[Number, _option("Of the focal losses (2 if not given).")] = None,
    tau: Annotated[Number, _option("Of the logit-adjusted loss (1 if not given).")] = None,
    label_smoothing: Annotated[
        Number, _option("Share of the truth that the loss spreads over all labels (default: 0.0).")
    ] = None,
    sampling: Annotated[Text, _option("oversample, stratify or rare_windows; options of each in --config.")] = None,
    decision: Annotated[Text, _option("auto (the default), corrected, argmax, tuned or viterbi.")] = None,
    calibration: Annotated[Text, _option("cautious (the default), bias, temperature or none.")] = None,
    tuning_folds: Annotated[Integer, _option("Folds on which offsets are tuned (default: 0).")] = None,
    monitor: Annotated[
        Text, _option("Score that chooses the epoch (default: important_f1; of BIO tokens fragment_f1).")
    ] = None,
    patience: Annotated[
        Integer, _option("Epochs without a better score before training stops (default: 2; tokens: 3).")
    ] = None,
    min_updates: Annotated[
        Integer,
        _option(
            "Smallest number of updates: few documents get smaller batches and more epochs (default: 400; tokens: 40)."
        ),
    ] = None,
    validation_fraction: Annotated[
        Number,
        _option("Share of lines held out without --dev (default: 0.1; none if there are fewer than 20,000 lines)."),
    ] = None,
    learning_rate: Annotated[
        Number, _option("Where Adam's cosine schedule starts (default: 0.001; tokens: 0.002).")
    ] = None,
    feature_dropout: Annotated[
        Number, _option("Share of hashed features left out in training (default: 0.5; tokens: 0.2).")
    ] = None,
    linear_share: Annotated[
        Number,
        _option("Weight of the linear model that is averaged with the network (default: 0.3; hashed lines only)."),
    ] = None,
    line_size: Annotated[Integer, _option("Units between features and LSTM (default: 128).")] = None,
    merge: Annotated[Text, _option("centre (the default), mean or most_context.")] = None,
    unit: Annotated[Text, _option("line (the default), or token for spans.")] = None,
    overlap: Overlap = "error",
    input_format: InputFormat = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Train a model on annotated documents and save it."""
    from skol_rnn.persistence.bundle import check_destination

    check_destination(out)
    if class_weights and weights:
        raise typer.BadParameter("give --class-weights or --weights, not both.")
    settings = read_config(config)
    settings |= {key: context.params[key] for key in MODEL_OPTIONS if context.params[key] is not None}
    given = {
        "labels": names(labels),
        "other": other,
        "important": names(important),
        "focal_labels": names(focal_labels),
        "class_weights": parse_weights(class_weights) if class_weights else weights,
        "random_state": seed,
        "sampling": sampling,
    }
    settings |= {key: value for key, value in given.items() if value is not None}
    if settings.get("class_weights") == "none":
        settings["class_weights"] = None
    unit = settings.get("unit", "line")
    corpus = read(paths, input_format, strict, unit, overlap)
    validation = read(dev, input_format, strict, unit, overlap) if dev else None
    with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():
        model = _fit(corpus, validation, settings, checkpoint, strict)
        model.save(out)
        if not dev and model.validation_documents_:
            trained_on = "; trained on in the end" if "refit_loss" in model.history_ else ""
            typer.echo("Held out to choose the best epoch: " + ", ".join(model.validation_documents_) + trained_on)
        typer.echo(f"Saved {out}")
    if json:
        held_out = {"validation_documents": model.validation_documents_, "history": model.history_}
        print_json({"model": str(out), "labels": model.labels_, "parameters": model.get_params(), **held_out})


def _fit(corpus: Any, validation: Any, settings: dict[str, Any], checkpoint: Path | None, strict: bool) -> Any:
    from skol_rnn.data.inputs import labelled_table

    labels, other = settings.pop("labels", None), settings.pop("other", None)
    unit = settings.get("unit", "line")
    check_labels(labelled_table(corpus, unit=unit)["label"], labels, other)
    with quiet_tensorflow():
        from skol_rnn.model import RNNSkolModel
    model = RNNSkolModel(**settings)
    return model.fit(corpus, labels=labels, other=other, validation=validation, checkpoint=checkpoint, strict=strict)


def check_labels(column: pd.Series[Any], labels: list[str] | None, other: str | None) -> None:
    """Refuse a label that was asked for and that no document has."""
    found = set(column.dropna())
    for label in labels or ():
        if label not in found and label != other:
            raise DataError(f"No document has the label {label!r} of --labels.{suggestion(label, found)}")


def read_config(path: Path | None) -> dict[str, Any]:
    """Read a file of settings."""
    if path is None:
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read as a configuration ({error}).") from error
    allowed = (*MODEL_OPTIONS, *OTHER_SETTINGS)
    for key in settings:
        if key not in allowed:
            raise DataError(f"{path}: unknown setting {key!r}.{suggestion(key, allowed)}")
    return settings


def parse_weights(text: str) -> dict[str, float]:
    """Read weights by label."""
    parsed: dict[str, float] = {}
    for part in text.split(","):
        # The last "=" counts: a label may hold one.
        label, equals, number = part.rpartition("=")
        try:
            parsed[label.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals or not label.strip():
            raise typer.BadParameter(f"--class-weights wants Label=number,Label=number, but holds {part!r}.")
    return parsed
