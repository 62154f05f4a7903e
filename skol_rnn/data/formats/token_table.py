"""Tables whose rows are tokens, back to documents."""

from __future__ import annotations

import pandas as pd

from skol_rnn.data.document import Document
from skol_rnn.errors import DataError

_GAPS = ("", " ", "\n", "\n\n")


def token_document(doc_id: str, table: pd.DataFrame, path: str) -> Document:
    r"""Make a document of rows that are tokens."""
    values, breaks = table["value"].tolist(), table["break_before"].tolist()
    starts = table["start"].tolist() if "start" in table else [None] * len(values)
    ends = table["end"].tolist() if "end" in table else [None] * len(values)
    pieces: list[str] = []
    tokens: list[tuple[int, int]] = []
    problems, length = [], 0
    for row, (value, start, end, before) in enumerate(zip(values, starts, ends, breaks, strict=True)):
        if pd.isna(start):
            gap = _GAPS[max(0, min(int(before), 3))] if row else ""
        else:
            gap = _filled(int(start) - length, int(before) if row else 0)
            if int(start) != length + len(gap) or (not pd.isna(end) and int(end) - int(start) != len(value)):
                problems.append(
                    f"token {row}, {value!r:.40}, does not fit its offsets {start} and {end} or break_before"
                )
        if not value.strip():
            problems.append(f"token {row} is blank")
        pieces += [gap, value]
        length += len(gap)
        tokens.append((length, length + len(value)))
        length += len(value)
    if problems:
        raise DataError(f"document {doc_id!r}: {'; '.join(problems)}")
    text = "".join(pieces)
    labels = tuple(table["label"]) if "label" in table else None
    return Document(doc_id, text, labels, path=path, tokens=tuple(tokens))


def _filled(room: int, before: int) -> str:
    r"""Fill the characters between two tokens with the line ends that are told, and blanks."""
    ends = max(before - 1, 0)
    if ends and room == 2 * ends:
        return "\r\n" * ends
    return "\n" * ends + " " * max(room - ends, 0)
