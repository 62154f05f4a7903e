"""``skol-rnn info``: what a saved model is; loads no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from skol_rnn.cli import common, options
from skol_rnn.cli.common import fits, folded
from skol_rnn.inference.card import calibration_sentence, score_with_interval, split_sentence
from skol_rnn.inference.linear_member import LinearMember
from skol_rnn.labels import printable
from skol_rnn.persistence.bundle import Bundle
from skol_rnn.training.settings import OF_NETWORK


def info(model: options.ModelPath, verify_key: options.VerifyKey = None, json: options.Json = False) -> None:
    """Show the labels, weights, training data, scores and parameters of a saved model; loads no TensorFlow."""
    bundle = common.open_model(model, verify_key)
    state = bundle.state
    arrays = {name: array.tolist() for name, array in bundle.decision.items()}
    if json:
        common.print_json({**state, **arrays})
        return
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(printable(f"{model}: {state['name']}, written by skol_rnn {state['skol_rnn_version']}"))
    labels = Table(folded("label"), "training lines", "weight", "offset")
    for row in zip(state["labels"], arrays["counts"], arrays["weights"], arrays["offsets"], strict=True):
        labels.add_row(printable(row[0]), f"{row[1]:,}", f"{row[2]:.4f}", f"{row[3]:+.4f}")
    console.print(labels)
    console.print(printable(f"{state['features']['name']} features, {_what_runs(bundle)}"))
    if card := state.get("card"):
        _print_card(console, card)
    if not fits(console, history := _history(state, state["labels"])):
        history = _history(state, [])
        console.print("The F1 of each label after each epoch does not fit here: --json prints it.")
    if history.rows:
        console.print(history)
    unused = () if state["network"] else OF_NETWORK
    used = (f"{key}={value!r}" for key, value in state["parameters"].items() if key not in unused)
    console.print(printable("  ".join(used)))
    if bundle.card:
        where = f"{model}/README.md" if model.is_dir() else f"README.md in {model}"
        console.print(printable(f"The model card with the documents and their hashes is {where}"), soft_wrap=True)


def _what_runs(bundle: Bundle) -> str:
    """Say how large the network or the linear model is, and what runs it."""
    if linear := (None if bundle.state["network"] else LinearMember.from_arrays(bundle.features)):
        return f"linear model of {linear.n_parameters:,} parameters, runs on NumPy"
    size = sum(array.size for array in bundle.network.values())
    return f"{size:,} network parameters, runs on {'ONNX Runtime or Keras' if bundle.graph else 'Keras only'}"


def _history(state: Mapping[str, Any], labels: Sequence[str]) -> Table:
    """Return a row for each epoch, with the F1 of some labels."""
    table = Table("epoch", "loss", *[printable(f"{label} F1") for label in labels], "important F1")
    past = state["history"]
    for epoch, loss in enumerate(past.get("loss", [])):
        keys = [*(f"val_f1/{label}" for label in labels), "val_important_f1"]
        scores = [f"{past[key][epoch]:.4f}" for key in keys if epoch < len(past.get(key, ()))]
        table.add_row(str(epoch + 1), f"{loss:.4f}", *scores)
    return table


def _print_card(console: Console, card: Mapping[str, Any]) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
    console.print(printable(f"Trained on {card['date']} with {versions}"))
    console.print(printable(split_sentence(card)))
    console.print(calibration_sentence(card, printable))
    if not (scores := card["scores"]):
        return
    intervals = scores.get("intervals", {})
    table = Table(folded("validation set"), "precision", "recall", "F1", "loss", "support")
    for label, row in scores["labels"].items():
        found = intervals.get("by_label", {}).get(label, {})
        cells = [score_with_interval(row[key], found.get(key)) for key in ("precision", "recall", "f1")]
        loss = "-" if row["loss"] is None else f"{row['loss']:.4f}"
        table.add_row(printable(label), *cells, loss, f"{row['support']:,}")
    for key in ("important_f1", "macro_f1", "fragment_f1"):
        if key in scores:
            table.add_row(key.replace("_f1", " F1"), "", "", score_with_interval(scores[key], intervals.get(key)))
    console.print(table)
