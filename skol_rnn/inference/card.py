"""The model card: what was trained on what, its scores and limits, as JSON in the bundle and as its ``README.md``."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import skol_rnn
from skol_rnn.data.near_copies import sketches
from skol_rnn.data.table import Lines, text_hashes
from skol_rnn.decoding.calibration import Calibration
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.frameworks import installed_versions

_LIBRARIES = ("numpy", "scikit-learn")
_MOST_DOCUMENTS = 40  # listed in the README; the state has all
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$!])")
_INVISIBLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # YAML refuses these


def training_facts(with_network: bool = True) -> dict[str, Any]:
    """Return when and with what a model is trained."""
    versions = {"skol_rnn": skol_rnn.__version__, "python": platform.python_version()}
    keras = sys.modules.get("keras") if with_network else None
    framework = ["keras", keras.config.backend()] if keras else []  # what Keras runs on
    versions |= installed_versions(*framework, *_LIBRARIES)
    return {"date": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions}


def document_facts(training: Lines, validation: Lines | None, how: str) -> dict[str, Any]:
    """Return the hash and the sketch of each document, and the two sets."""
    documents, sketched = text_hashes(training), sketches(training)
    split = {"how": "none" if validation is None else how, "training": list(documents), "validation": []}
    if validation is not None:
        hashes, sketched_too = text_hashes(validation), sketches(validation)
        # Lists of documents have numbers for names, in both sets.
        names = {name: f"{name} (validation)" if name in documents else name for name in hashes}
        documents |= {names[name]: digest for name, digest in hashes.items()}
        sketched |= {names[name]: sketch for name, sketch in sketched_too.items()}
        split["validation"] = list(names.values())
    return {"documents": documents, "sketches": sketched, "split": split}


def adapted_facts(card: Mapping[str, Any], reviewed: Lines, lines: int) -> dict[str, Any]:
    """Return the facts of a model that was adapted to some lines of documents, which it has seen then."""
    found, seen = document_facts(reviewed, None, "none"), set(card["documents"].values())
    taken = card["documents"].keys()
    names = {
        name: f"{name} (reviewed {digest[:8]})" if name in taken else name
        for name, digest in found["documents"].items()
        if digest not in seen
    }
    # Short documents have no sketch.
    more = {
        key: {names[name]: one for name, one in found[key].items() if name in names}
        for key in ("documents", "sketches")
    }
    return {
        **card,
        **{key: {**card.get(key, {}), **added} for key, added in more.items()},
        "split": {**card["split"], "training": [*card["split"]["training"], *names.values()]},
        "adapted": [*card.get("adapted", ()), {"lines": lines, "documents": len(found["documents"])}],
    }


def score_facts(evaluation: Evaluation, intervals: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the scores of the validation set that a card states; a loss that is not known is None."""
    columns = {key: getattr(evaluation, key) for key in ("precision", "recall", "f1", "loss", "support")}
    averages = {key: getattr(evaluation, key) for key in ("important_f1", "macro_f1", "accuracy", "fragment_f1")}
    return {
        "documents": len(evaluation.per_document),
        "important": list(evaluation.important),
        "labels": {
            name: {key: _finite(column[i].item()) for key, column in columns.items()}
            for i, name in enumerate(evaluation.labels)
        },
        **{key: value for key, value in averages.items() if value is not None},
        "loss": _finite(evaluation.mean_loss),
        **({"intervals": dict(intervals)} if intervals else {}),
    }


def calibration_facts(calibration: Calibration, labels: Sequence[str]) -> dict[str, Any]:
    """Return the temperature, and the bias of each label."""
    return {
        "temperature": float(calibration.temperature),
        "bias": dict(zip(labels, calibration.bias.tolist(), strict=True)),
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def card_text(state: Mapping[str, Any]) -> str:
    """Write the card of a bundle's state as Markdown with the metadata block of the Hugging Face Hub."""
    card, unit = state["card"], state["parameters"].get("unit", "line")
    parts = [
        _metadata(state, unit),
        _opening(state, unit),
        _LOADING,
        _training_data(card, unit),
        _scores(state, unit),
        _decision(card),
        _settings(card),
        _limits(state, unit),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(state: Mapping[str, Any], unit: str) -> str:
    """Write the block that the Hub reads; each value is JSON, which is YAML too."""
    linear = ["crf"] if unit == "token" else ["linear", "scikit-learn"]
    card, kind = state["card"], ["bilstm", "keras", "onnx"] if state["network"] else linear
    block: dict[str, Any] = {
        "library_name": "skol_rnn",
        "pipeline_tag": "token-classification",
        "tags": [f"{unit}-labelling", "sequence-labelling", kind[0], "class-imbalance", *kind[1:]],
    }
    if scores := card["scores"]:
        block["metrics"] = ["f1", "precision", "recall"]
        found = [{"type": "f1", "name": "important F1", "value": scores["important_f1"]}]
        found += [{"type": "f1", "name": f"{label} F1", "value": row["f1"]} for label, row in scores["labels"].items()]
        dataset = {"type": "validation-set", "name": "Validation documents", "split": "validation"}
        task = {"type": "token-classification", "name": f"{unit.capitalize()} labelling"}
        block["model-index"] = [
            {"name": state["name"], "results": [{"task": task, "dataset": dataset, "metrics": found}]}
        ]
    return "\n".join(["---", *(f"{key}: {_json(value)}" for key, value in block.items()), "---"])


def _json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _INVISIBLE.sub(lambda found: "".join(f"\\u{ord(c):04x}" for c in found[0]), text)


def _text(value: object) -> str:
    """Escape a name for a paragraph or a cell of a table: no markup, no line breaks, control characters visible."""
    return _SPECIAL.sub(r"\\\1", "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value)))


def _number(count: float, what: str) -> str:
    return f"{count:,.0f} {what}{'s' * (count != 1)}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _opening(state: Mapping[str, Any], unit: str) -> str:
    card, labels = state["card"], state["labels"]
    named = ", ".join(_text(label) for label in labels[:_MOST_DOCUMENTS])
    more = f" and {len(labels) - _MOST_DOCUMENTS} more" if len(labels) > _MOST_DOCUMENTS else ""
    rest = f" {_text(state['other'])} also stands for all other labels of the training data." if state["other"] else ""
    linear = "linear-chain CRF" if unit == "token" else "linear model of words and their neighbours"
    kind = "bidirectional LSTM" if state["network"] else linear
    return (
        f"# {_text(state['name'])}\n\n"
        f"This model gives each {unit} of a document one of {_number(len(labels), 'label')}: {named}{more}.{rest}\n"
        f"It is a {kind} on {state['features']['name']} features, trained on {card['date'][:10]} by\n"
        f"skol_rnn {_text(card['versions']['skol_rnn'])}. No part of it is pickled, and loading it runs no code from it."
    )


_LOADING = """## How to load it

```python
from skol_rnn import load_model

model = load_model("path/to/this/model")
print(model.predict("documents/"))  # a DataFrame: text, predicted label and probabilities
```

```console
pip install skol_rnn
skol-rnn predict path/to/this/model documents/ --out labelled
```"""


def _training_data(card: Mapping[str, Any], unit: str) -> str:
    split, hashes = card["split"], card["documents"]
    validation = set(split["validation"])
    total = max(sum(card["counts"].values()), 1)
    rows = [
        [_text(label), f"{count:,}", f"{count / total:.2%}", f"{card['weights'][label]:.4g}"]
        for label, count in card["counts"].items()
    ]
    listed = [
        [_text(name), "validation" if name in validation else "training", f"`{hashes[name][:16]}`"]
        for name in list(hashes)[:_MOST_DOCUMENTS]
    ]
    left = len(hashes) - len(listed)
    return "\n\n".join(
        [
            f"## Training data\n\n{split_sentence(card)}",
            _table(["label", f"training {unit}s", "share", "weight in the loss"], rows),
            f"SHA-256 of the text of each document ({unit}s joined by line ends), shortened; `model.json` has them whole, "
            'under `"card"`:',
            _table(["document", "part", "SHA-256"], listed) + (f"\n\nand {left:,} more." if left else ""),
        ]
    )


def split_sentence(card: Mapping[str, Any]) -> str:
    """Say how the documents were split, and whether the model was adapted to others."""
    if adapted := card.get("adapted"):
        parts = [f"{_number(one['lines'], 'line')} of {_number(one['documents'], 'document')}" for one in adapted]
        before = {key: value for key, value in card.items() if key != "adapted"}
        return (
            f"{split_sentence(before)} The network was adapted to reviewed lines ({', then '.join(parts)}), whose documents the "
            "training set includes; scores, calibration and promises are those of the model before."
        )
    split = card["split"]
    trained, held = _number(len(split["training"]), "document"), _number(len(split["validation"]), "document")
    if not split["validation"] and split.get("folds"):
        return f"Training set: {trained}, in {split['folds']} folds."
    if not split["validation"]:
        return f"Training set: {trained}. There was no validation set."
    how = "given by the user" if split["how"] == "given" else "drawn by document"
    refit = " The saved model is trained on both." if split["refit"] else ""
    return f"Training set: {trained}. Validation set: {held}, {how}.{refit}"


def _scores(state: Mapping[str, Any], unit: str) -> str:
    card = state["card"]
    scores = card["scores"]
    if not scores:
        return (
            "## Scores\n\nThere was no validation set, so the training has no scores of unseen documents. Measure them:\n\n"
            "```console\nskol-rnn evaluate path/to/this/model annotated-documents/\n```"
        )
    intervals = scores.get("intervals", {})
    labels = intervals.get("by_label", {})

    def cell(row: Mapping[str, Any], key: str, name: str) -> str:
        return score_with_interval(row[key], labels.get(name, {}).get(key))

    rows = [
        [_text(name), *(cell(row, key, name) for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for name, row in scores["labels"].items()
    ]
    rows += [
        [f"**{key.replace('_f1', ' F1')}**", "", "", score_with_interval(scores[key], intervals.get(key)), ""]
        for key in ("important_f1", "macro_f1", "fragment_f1")
        if key in scores
    ]
    important = ", ".join(_text(name) for name in scores["important"])
    sentences = [f"On the {_number(scores['documents'], 'document')} of the validation set; important: {important}."]
    if not card["split"]["validation"]:
        sentences = [
            f"On the {_number(scores['documents'], 'document')} of the training set, each predicted by a network that did "
            f"not train on it; important: {important}."
        ]
    if intervals:
        sentences.append("In brackets are 95 % intervals (bootstrap over documents).")
    if card["split"]["refit"]:
        scored = "the network that chose the number of epochs" if state["network"] else "the model before the refit"
        sentences.append(f"They are those of {scored}; the saved one has seen these documents.")
    table = _table(["label", "precision", "recall", "F1", f"{unit}s"], rows)
    return f"## Scores\n\n{' '.join(sentences)}\n\n{table}"


def score_with_interval(value: float, interval: Sequence[float] | None) -> str:
    """Format a score with its interval, if there is one."""
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _decision(card: Mapping[str, Any]) -> str:
    return f"## Probabilities and decision\n\n{calibration_sentence(card)} Decision: `{card['decision']}`."


def calibration_sentence(card: Mapping[str, Any], escape: Callable[[str], str] = _text) -> str:
    """Say how the probabilities were calibrated."""
    found = card["calibration"]
    biases = ", ".join(f"{escape(name)} {value:+.2f}" for name, value in found["bias"].items() if value)
    if found["temperature"] == 1.0 and not biases:
        return "The probabilities are corrected for class weights, loss and sampling, but not calibrated."
    return (
        "The probabilities are corrected for class weights, loss and sampling, and calibrated on documents that the network did not train on: "
        f"temperature {found['temperature']:.3f}, {f'bias {biases}' if biases else 'no bias'}."
    )


def _settings(card: Mapping[str, Any]) -> str:
    facts = {"settings": card["settings"], "versions": card["versions"]}
    return f"## Settings\n\n```json\n{_json(facts, indent=1)}\n```"


def _limits(state: Mapping[str, Any], unit: str) -> str:
    card = state["card"]
    counts = card["counts"]
    most = max(counts, key=counts.__getitem__)
    share = counts[most] / max(sum(counts.values()), 1)
    limits = [
        f"Each {unit} gets exactly one label, and no other label than those above.",
        f"Calling every {unit} {_text(most)} would be right on {share:.0%} of the training {unit}s: accuracy says little.",
        "Scores hold for documents like those of the training. For another journal, language or scanner, annotate a few "
        "documents and measure first.",
        "Documents that the model has seen, listed above by hash, and near copies of them must not be scored: their "
        "scores are too high.",
    ]
    limits += [_text(f"Found in training: {found['seen']}; {found['means']}.") for found in state["diagnosis"]]
    written = "\n".join(f"- {limit}" for limit in limits)
    note = "This file has a checksum, like every file of the model: put notes of your own into another one."
    return f"## Limits\n\n{written}\n\n{note}"
