"""The lines of a round as tasks of annotation tools, in the same order: Label Studio, doccano and brat.

A label that a task comes back with is a person's: tasks carry the present label as data or as a prediction only.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import quoteattr

from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import format_brat
from skol_rnn.labels import printable
from skol_rnn.review.round import ReviewRound, RoundLine

BRAT = "brat"
_HOTKEYS = 9


def task_id(found: ReviewRound, item: int) -> str:
    """Return what names a line of a round in another tool."""
    return f"{found.id}-{item + 1}"


def task_files(found: ReviewRound) -> dict[str, bytes]:
    """Return the task files by their place below the folder of the round."""
    tasks = [_task(found, item) for item in range(len(found.lines))]
    studio = [
        {"data": task, "predictions": [{"model_version": found.model["name"], "result": [_choice(task["label_now"])]}]}
        for task in tasks
    ]
    # doccano gives back what it does not know; "label" is the label that a person adds.
    doccano = "".join(json.dumps({**task, "label": []}, ensure_ascii=False) + "\n" for task in tasks)
    files = {
        "label_studio.json": json.dumps(studio, ensure_ascii=False, indent=1).encode() + b"\n",
        "label_studio.xml": _interface(found).encode(),
        "doccano.jsonl": doccano.encode(),
    }
    if any(len(label.split()) != 1 for label in found.labels):
        return files  # brat cannot store such a label
    files[f"{BRAT}/annotation.conf"] = _brat_types(found).encode()
    digits = len(str(len(found.lines)))
    for item, line in enumerate(found.lines):
        document = brat_task(found, line)
        name = f"{BRAT}/{item + 1:0{digits}}"
        files[f"{name}.txt"] = document.text.encode()
        files[f"{name}.ann"] = (format_brat(replace(document, spans=())) or "").encode()
    return files


def _task(found: ReviewRound, item: int) -> dict[str, Any]:
    line = found.lines[item]
    at = [number for number, _ in line.context].index(line.line)
    texts = [text for _, text in line.context]
    return {
        "text": line.text,
        "before": "\n".join(texts[:at]),
        "after": "\n".join(texts[at + 1 :]),
        "document": printable(found.documents[line.document].name),
        "line": line.line,
        "label_now": line.label,
        "task": task_id(found, item),
    }


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}


def _interface(found: ReviewRound) -> str:
    """Return the labelling interface of Label Studio."""
    keys = [f' hotkey="{number}"' if number <= _HOTKEYS else "" for number in range(1, len(found.labels) + 1)]
    choices = "".join(
        f"    <Choice value={quoteattr(label)}{key}/>\n" for label, key in zip(found.labels, keys, strict=True)
    )
    return (
        '<View>\n  <Header value="$document, line $line"/>\n  <Text name="before" value="$before"/>\n'
        '  <Header value="Label this line:"/>\n  <Text name="text" value="$text"/>\n'
        f'  <Choices name="label" toName="text" choice="single" showInLine="true">\n{choices}  </Choices>\n'
        '  <Text name="after" value="$after"/>\n</View>\n'
    )


def brat_task(found: ReviewRound, line: RoundLine) -> Document:
    """Return the text to label in brat: the line first, then where it stands."""
    where = f"{printable(found.documents[line.document].name)}, line {line.line}, now {line.label}"
    around = "".join(f"{number}\t{text}\n" for number, text in line.context)
    return Document("task", f"{line.text}\n\n{where}\n{around}")


def _brat_types(found: ReviewRound) -> str:
    return "\n".join(["[entities]", *found.labels, "[relations]", "[events]", "[attributes]", ""])
