"""Rounds made without a model, and what the page exports of them."""

from __future__ import annotations

import json

from skol_rnn import read_documents
from skol_rnn.review.round import ReviewRound, RoundDocument, RoundLine, text_hash

LABELS = ["Name", "Text", "Misc"]


def made_round(folder, paths, rows, format="yedda", labels=LABELS, other="Misc"):
    """Write a round of some rows of the documents of files, each given as (document, row)."""
    corpus = read_documents(paths, format=format)
    places, documents = {}, []
    for document in corpus:
        place = places[document.path] = places.get(document.path, -1) + 1
        documents.append(
            RoundDocument(document.doc_id, document.path, format, place, text_hash(document.text),
                          document.labels is not None, document.n_rows)
        )  # fmt: skip
    lines = []
    for index, row in rows:
        document = corpus.documents[index]
        start, end = document.lines[row][:2]
        number, text = document.text.count("\n", 0, start) + 1, document.text[start:end]
        now = (document.labels or [None] * document.n_rows)[row]
        label = now if now in labels else other
        shares = dict.fromkeys(labels, 1 / len(labels))
        lines.append(RoundLine(index, number, row, text, label, label, shares, 1.0, ["uncertain"], [(number, text)]))
    found = ReviewRound(folder, {"name": "m", "fingerprint": "f"}, list(labels), other,
                        {"name": "r", "important": {labels[0]: 1.0}}, 0, documents, lines)  # fmt: skip
    folder.mkdir()
    (folder / "round.json").write_bytes(found.to_json())
    return found


def exported(found, answers, reviewer=None):
    """Return what the page exports: labels by position of the line."""
    lines = []
    for item, label in answers.items():
        line = found.lines[item]
        document = found.documents[line.document]
        record = {"round": found.id, "document": document.name, "sha256": document.sha256, "line": line.line}
        lines.append(json.dumps({**record, "label": label, "reviewer": reviewer}))
    return "".join(f"{line}\n" for line in lines)
