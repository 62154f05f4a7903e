"""Small HTML tables for notebooks; every text is escaped."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any

from skol_rnn.evaluation.report import average_rows, class_rows, headings, score
from skol_rnn.labels import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from skol_rnn.data.document import Corpus, Document
    from skol_rnn.evaluation.predicted import Predicted
    from skol_rnn.evaluation.result import Evaluation
    from skol_rnn.imbalance.class_weights import ClassWeights

_MOST_ROWS = 20  # of documents or lines
_MOST_EPOCHS = 50
_MOST_LABELS = 8  # columns of a history
_MOST_CHARACTERS = 160  # of a line
_REFRESH_SECONDS = 0.25
_LEFT, _RIGHT = ' style="text-align: left"', ' style="text-align: right"'


def in_notebook() -> bool:
    """Whether the code runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def table_html(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    caption: str = "",
    text: Iterable[int] = (0,),
    bold: int = -1,
) -> str:
    """Return a table; numbers of ``text`` columns are aligned to the left, row ``bold`` is bold."""
    left = set(text)

    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{_LEFT if i in left else _RIGHT}>{_escaped(str(value))}</{tag}>" for i, value in enumerate(values)
        )

    heavy = ' style="font-weight: bold"'
    body = "".join(f"<tr{heavy if i == bold else ''}>{cells('td', row)}</tr>" for i, row in enumerate(rows))
    title = f"<caption{_LEFT}>{_escaped(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{cells('th', headings)}</tr></thead><tbody>{body}</tbody></table>"


def evaluation_html(evaluation: Evaluation) -> str:
    """Return the scores and what they hide."""
    rows = [row.cells() for row in class_rows(evaluation) + average_rows(evaluation)]
    caption = f"Scores by {evaluation.unit} (* important label)"
    found = "".join(f"<li>{_escaped(sentence)}</li>" for sentence in evaluation.warnings())
    return table_html(headings(evaluation), rows, caption) + (f"<ul>{found}</ul>" if found else "")


def history_html(history: Mapping[str, Sequence[float]], caption: str = "") -> str:
    """Return loss and F1 by epoch, the best epoch in bold; the last epochs if there are many."""
    losses, best = history.get("loss", []), best_epoch(history)
    labels = [key for key in history if key.startswith("val_f1/")]
    averages = [key for key in ("val_fragment_f1", "val_important_f1", "val_macro_f1") if key in history]
    keys = [*(labels if len(labels) <= _MOST_LABELS else []), *averages]
    names = [key.removeprefix("val_").removeprefix("f1/").replace("_f1", " F1") for key in keys]
    rows = [
        [epoch + 1, f"{loss:.4f}", *(score(history[key][epoch]) if epoch < len(history[key]) else "-" for key in keys)]
        for epoch, loss in enumerate(losses)
    ]
    first = max(len(rows) - _MOST_EPOCHS, 0)
    hidden = f"Epochs 1 to {first} are not shown." if first else ""
    title = " ".join(part for part in (caption, hidden) if part)
    return table_html(["Epoch", "Loss", *names], rows[first:], title, (), best - 1 - first)


def best_epoch(history: Mapping[str, Sequence[float]]) -> int:
    """Return the epoch with the highest important F1, from 1; 0 where there are no scores."""
    scores = history.get("val_important_f1", [])
    return max(range(len(scores)), key=scores.__getitem__) + 1 if scores else 0


def weights_html(weights: ClassWeights) -> str:
    """Return count and weight of each label, the rarest last."""
    rows = sorted(zip(weights.labels, weights.counts, weights.weights, strict=True), key=lambda row: -row[1])
    shown = [(name, f"{count:,}", f"{weight:.4g}") for name, count, weight in rows]
    return table_html(["Label", "Count", "Weight"], shown, f"Class weights, {weights.strategy}")


def corpus_html(corpus: Corpus) -> str:
    """Return the counts of the labels and the first documents."""
    counts = corpus.label_counts()
    rows = [
        (document.doc_id, f"{document.n_rows:,}", f"{_labelled(document):,}", len(document.repairs))
        for document in corpus.documents[:_MOST_ROWS]
    ]
    unit, more = f"{corpus.unit.capitalize()}s", len(corpus) - len(rows)
    documents = table_html(["Document", unit, "Labelled", "Repairs"], rows, summary_of(corpus))
    labels = table_html(["Label", unit], [(name, f"{n:,}") for name, n in counts.most_common()]) if counts else ""
    return labels + documents + (f"<p>{more:,} more documents</p>" if more else "")


def summary_of(corpus: Corpus) -> str:
    """Say in a line what a corpus holds."""
    rows = sum(document.n_rows for document in corpus)
    labelled = sum(map(_labelled, corpus))
    parts = [plural(len(corpus), "document"), plural(rows, corpus.unit), f"{labelled:,} labelled"]
    return ", ".join([*parts, f"{plural(len(corpus.skipped), 'file')} skipped"] if corpus.skipped else parts)


def document_html(document: Document) -> str:
    """Return the first rows of a document with their labels."""
    places: Any = document.lines if document.tokens is None else document.tokens
    labels = document.labels or (None,) * document.n_rows
    rows = [
        (number, _short(document.text[place[0] : place[1]]), label or "")
        for number, (place, label) in enumerate(zip(places[:_MOST_ROWS], labels, strict=False))
    ]
    more = f", the first {_MOST_ROWS}" if document.n_rows > _MOST_ROWS else ""
    caption = f"{document.doc_id}: {document.n_rows:,} {document.unit}s{more}"
    return table_html(["", document.unit.capitalize(), "Label"], rows, caption, (1, 2))


def predictions_frame(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Return a table of the predicted labels and the largest probabilities."""
    import pandas as pd

    return pd.DataFrame({"predicted": labels, "probability": probabilities.max(axis=1)})


def predictions_html(labels: np.ndarray, probabilities: np.ndarray) -> str:
    """Return how often each label is predicted, and the mean of the largest probabilities there."""
    sums: dict[str, list[float]] = {}
    for label, largest in zip(labels, probabilities.max(axis=1).tolist(), strict=True):
        sums.setdefault(label, []).append(largest)
    rows = sorted(((name, len(found), sum(found) / len(found)) for name, found in sums.items()), key=lambda r: -r[1])
    shown = [(name, f"{n:,}", f"{mean:.4f}") for name, n, mean in rows]
    return table_html(["Predicted", "Rows", "Mean largest probability"], shown, f"{len(labels):,} rows")


def predicted_html(predicted: Predicted) -> str:
    """Return the scores and the least certain errors; without labels the least certain predictions."""
    frame = predicted.to_frame()
    scored = bool(predicted.evaluation.support.sum())
    shown = frame[frame["label"].notna() & (frame["label"] != frame["predicted"])] if scored else frame
    total = len(shown)
    shown = shown.sort_values("probability", kind="stable").head(_MOST_ROWS)
    what = f"{'errors' if scored else 'predictions'}, the least certain first"
    rows = [
        (row.doc_id, row.line_number, _short(str(row.value)), row.label or "", row.predicted, f"{row.probability:.2f}")
        for row in shown.itertuples()
    ]
    names = ["Document", predicted.evaluation.unit.capitalize(), "Text", "Label", "Predicted", "Probability"]
    lines = table_html(names, rows, f"{len(rows):,} of {total:,} {what}", (0, 2, 3, 4))
    return (evaluation_html(predicted.evaluation) if scored else "") + lines


class NotebookProgress:
    """The table of a running training in a notebook: one output, which is updated in place."""

    def __init__(self) -> None:
        from IPython.display import display

        self.history: dict[str, list[float]] = {}
        self._bar, self._shown = "", 0.0
        self._handle = display(self, display_id=True)

    def step(self, epoch: int, epochs: int, done: float, loss: float) -> None:
        """Show how much of an epoch is done, a few times a second at most."""
        if time.monotonic() - self._shown > _REFRESH_SECONDS:
            text = f"epoch {epoch} of {epochs}, loss {loss:.4f}"
            self._bar = f'<p><progress max="1" value="{done:.3f}"></progress> {text}</p>'
            self._update()

    def end_epoch(self, scores: Mapping[str, float]) -> None:
        """Add the row of an epoch."""
        for name, value in scores.items():
            self.history.setdefault(name, []).append(value)
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        self._bar = ""
        self._update()

    def _update(self) -> None:
        self._shown = time.monotonic()
        self._handle.update(self)

    def __repr__(self) -> str:
        return f"epoch {len(self.history.get('loss', []))}"

    def _repr_html_(self) -> str:
        return (history_html(self.history) if self.history else "") + self._bar


def _labelled(document: Document) -> int:
    return sum(label is not None for label in document.labels or ())


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _escaped(text: str) -> str:
    return escape(printable(text))
