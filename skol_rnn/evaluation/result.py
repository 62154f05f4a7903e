"""The result of an evaluation: counts, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from skol_rnn.evaluation.findings import evaluation_notes, grouped
from skol_rnn.evaluation.report import Row, average_rows, class_rows, marked, scores_table
from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KINDS = ("precision", "recall", "f1")
_AVERAGES = ("important_f1", "accuracy", *(f"{how}_{kind}" for how in ("macro", "weighted") for kind in _KINDS))


def f1_from_counts(hits: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Compute F1 = 2 hits / (true + predicted); 0.0 where both are 0."""
    return _ratio(2 * hits, true + predicted)


def _ratio(part: np.ndarray | np.generic, whole: np.ndarray | np.generic) -> np.ndarray:
    """Divide; 0.0 where the whole is 0 (scikit-learn's ``zero_division=0``)."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Counts of one evaluation and the scores that follow from them.

    Scores follow scikit-learn with ``labels`` = all K labels and ``zero_division=0``: a class that is never
    predicted has precision 0, one without support recall 0, and both count in the macro means.

    Parameters
    ----------
    labels : LabelSet
        The K labels.
    unit : str
        What one count stands for: "line", "token", "span" or "character".
    confusion : ndarray of int64, shape (K, K)
        Counts; rows are true labels, columns predicted ones.
    missing : ndarray of int64, shape (K,)
        Rows without a prediction, by true label; they count as errors.
    loss_sums : ndarray of float, shape (K,)
        By true label, the sum of -log p(true label); NaN without probabilities.
    important : tuple of str
        The labels whose mean F1 is ``important_f1``.
    missing_probabilities : int
        Number of rows without probabilities; each costs the largest loss.
    by_character : Evaluation or None
        The same evaluation with each row weighted by its number of characters.
    per_document : tuple of (str, Evaluation)
        The evaluation of each document, in order of first appearance.
    fragment_f1 : float, optional
        Fragment F1 of the spans that BIO labels mark, over all documents.

    Examples
    --------
    >>> from skol_rnn.evaluation.evaluate import evaluate_labels
    >>> evaluation = evaluate_labels([0, 0, 1, 1], [0, 1, 1, 1], LabelSet(("Misc", "Nomenclature")))
    >>> evaluation
    Evaluation(unit='line', labels=2, support=4, macro_f1=0.7333, accuracy=0.7500)
    >>> evaluation.recall.tolist()
    [0.5, 1.0]
    """

    labels: LabelSet
    unit: str
    confusion: np.ndarray
    missing: np.ndarray
    loss_sums: np.ndarray
    important: tuple[str, ...]
    missing_probabilities: int = 0
    by_character: Evaluation | None = None
    per_document: tuple[tuple[str, Evaluation], ...] = ()
    fragment_f1: float | None = None

    @property
    def support(self) -> np.ndarray:
        """True counts, shape (K,), including rows without a prediction."""
        return self.confusion.sum(axis=1) + self.missing

    @property
    def predicted(self) -> np.ndarray:
        """Predicted counts, shape (K,)."""
        return self.confusion.sum(axis=0)

    @property
    def precision(self) -> np.ndarray:
        """Share of the predictions that are right, shape (K,); 0.0 for a class never predicted."""
        return _ratio(self.confusion.diagonal(), self.predicted)

    @property
    def recall(self) -> np.ndarray:
        """Share of the true rows that are found, shape (K,); 0.0 for a class without support."""
        return _ratio(self.confusion.diagonal(), self.support)

    @property
    def f1(self) -> np.ndarray:
        """F1 = 2 hits / (true + predicted), shape (K,); 0.0 where both are 0."""
        return f1_from_counts(self.confusion.diagonal(), self.support, self.predicted)

    @property
    def loss(self) -> np.ndarray:
        """Unweighted mean -log p(true label) by true label, shape (K,); NaN without support or probabilities."""
        return np.where(self.support > 0, _ratio(self.loss_sums, self.support), np.nan)

    @property
    def macro_precision(self) -> float:
        """Unweighted mean of precision over all K labels."""
        return float(self.precision.mean())

    @property
    def macro_recall(self) -> float:
        """Unweighted mean of recall over all K labels."""
        return float(self.recall.mean())

    @property
    def macro_f1(self) -> float:
        """Unweighted mean of F1 over all K labels, ``f1_score(labels=all, average="macro", zero_division=0)``."""
        return float(self.f1.mean())

    @property
    def weighted_precision(self) -> float:
        """Mean of precision weighted by support."""
        return float(self.true_share @ self.precision)

    @property
    def weighted_recall(self) -> float:
        """Mean of recall weighted by support; equal to accuracy."""
        return float(self.true_share @ self.recall)

    @property
    def weighted_f1(self) -> float:
        """Mean of F1 weighted by support."""
        return float(self.true_share @ self.f1)

    @property
    def important_f1(self) -> float:
        """Unweighted mean of F1 over ``important``, by default all labels except the most frequent true one."""
        return float(self.f1[[self.labels.index(name) for name in self.important]].mean())

    @property
    def accuracy(self) -> float:
        """Share of all rows that are right; a missing prediction is wrong; 0.0 without rows."""
        return float(_ratio(self.confusion.trace(), self.support.sum()))

    @property
    def mean_loss(self) -> float:
        """Unweighted mean -log p(true label) over all rows; NaN without rows or probabilities."""
        total = self.support.sum()
        return float(self.loss_sums.sum() / total) if total else float("nan")

    @property
    def true_share(self) -> np.ndarray:
        """Support as a share of all, shape (K,)."""
        return _ratio(self.support, self.support.sum())

    @property
    def predicted_share(self) -> np.ndarray:
        """Predicted counts as a share of all predictions, shape (K,)."""
        return _ratio(self.predicted, self.predicted.sum())

    def with_important(self, names: Sequence[str]) -> Evaluation:
        """Return the same counts with other important labels.

        Parameters
        ----------
        names : sequence of str
            At least one label.

        Returns
        -------
        Evaluation
            A copy; the scores by character and by document use these labels, too.

        Raises
        ------
        ValueError
            If there is no name, or a name is unknown.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> evaluation = evaluate_labels([0, 0, 1, 1], [0, 1, 1, 1], LabelSet(("Misc", "Nomenclature")))
        >>> evaluation.with_important(["Nomenclature"]).important_f1
        0.8
        """
        if isinstance(names, str) or not names:
            raise ValueError('important must be a list of at least one label, such as ["Nomenclature"].')
        chosen = tuple(dict.fromkeys(self.labels.names[self.labels.index(name)] for name in names))
        characters = None if self.by_character is None else self.by_character.with_important(chosen)
        documents = tuple((doc_id, part.with_important(chosen)) for doc_id, part in self.per_document)
        return replace(self, important=chosen, by_character=characters, per_document=documents)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as one flat dict, ready for JSON (losses may be NaN).

        ``f1_score``, ``precision`` and ``recall`` are weighted by support. ``L_accuracy`` is the recall of label L.
        If a label has the name of an average ("macro"), the key belongs to the average.

        Returns
        -------
        dict
            ``L_accuracy``, ``L_precision``, ``L_recall``, ``L_f1``, ``L_loss``, ``L_support`` for each label L,
            the averages, ``total_predictions``, ``missing_predictions``, ``confusion_matrix``, ``labels``, ``unit``.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> scores = evaluate_labels([0, 0, 1, 1], [0, 1, 1, 1], LabelSet(("Misc", "Nomenclature"))).to_dict()
        >>> scores["Misc_recall"], scores["accuracy"], scores["confusion_matrix"]
        (0.5, 0.75, [[1, 1], [0, 2]])
        """
        columns = {key: getattr(self, key) for key in (*_KINDS, "loss", "support")} | {"accuracy": self.recall}
        scores: dict[str, Any] = {
            f"{name}_{key}": float(column[i]) for i, name in enumerate(self.labels) for key, column in columns.items()
        }
        scores |= {name: getattr(self, name) for name in _AVERAGES}
        scores |= {
            "f1_score": self.weighted_f1,
            "precision": self.weighted_precision,
            "recall": self.weighted_recall,
            "loss": self.mean_loss,
            "total_predictions": float(self.support.sum()),
            "missing_predictions": int(self.missing.sum()),
            "confusion_matrix": self.confusion.tolist(),
            "labels": list(self.labels),
            "unit": self.unit,
        }
        return scores if self.fragment_f1 is None else {**scores, "fragment_f1": self.fragment_f1}

    def history(self, prefix: str = "val_") -> dict[str, float]:
        """Return the scores under the names of the training history.

        Parameters
        ----------
        prefix : str
            Prefix of every name.

        Returns
        -------
        dict
            ``{prefix}f1/Label``, and the same for precision, recall and loss, then the averages.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> logs = evaluate_labels([0, 1], [0, 1], LabelSet(("a", "b"))).history()
        >>> logs["val_f1/a"], logs["val_macro_f1"]
        (1.0, 1.0)
        """
        columns = {key: getattr(self, key) for key in ("f1", "precision", "recall", "loss")}
        scores = {f"{key}/{name}": float(v[i]) for key, v in columns.items() for i, name in enumerate(self.labels)}
        scores |= {key: getattr(self, key) for key in ("important_f1", "macro_f1", "accuracy")}
        if self.fragment_f1 is not None:
            scores["fragment_f1"] = self.fragment_f1
        return {prefix + key: value for key, value in scores.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return the rows of the report with full precision.

        Returns
        -------
        DataFrame
            One row per label, important ones first, then the averages. Columns ``kind`` ("class" or "average"),
            ``unit``, ``name``, ``precision``, ``recall``, ``f1``, ``loss``, ``support``, ``predicted``, ``important``.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> evaluation = evaluate_labels([0, 0, 1, 1], [0, 1, 1, 1], LabelSet(("Misc", "Nomenclature")))
        >>> evaluation.to_frame()[["kind", "name", "recall"]].head(2)
            kind          name  recall
        0  class  Nomenclature     1.0
        1  class          Misc     0.5
        """
        import pandas as pd

        rows = [("class", self.unit, *row) for row in class_rows(self)]
        rows += [("average", self.unit, *row) for row in average_rows(self)]
        frame = pd.DataFrame(rows, columns=["kind", "unit", *Row._fields])
        return frame.astype({"support": "Int64", "predicted": "Int64"})

    def warnings(self) -> list[str]:
        """Say what the averages hide, such as a label that is never predicted.

        Returns
        -------
        list of str
            One sentence each. :func:`skol_rnn.diagnose` adds what to change, which depends on the decision.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> evaluate_labels([0, 1, 2, 2], [1, 1, 2, 2], LabelSet(("Nomenclature", "Description", "Misc"))).warnings()
        ["Never predicted: 'Nomenclature' (1 line); the F1 is 0."]
        """
        return [f"{finding.seen}; {finding.means}." for finding in grouped(evaluation_notes(self), len(self.labels))]

    def to_html(self, title: str = "Evaluation") -> str:
        """Render scores with intervals, confusions and documents as one HTML page.

        Parameters
        ----------
        title : str
            Title of the page.

        Returns
        -------
        str
            The page; ``RNNSkolModel.report`` adds curves, the training and the lines.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> evaluate_labels([0, 1], [0, 1], LabelSet(("a", "b"))).to_html()[:15]
        '<!DOCTYPE html>'
        """
        from skol_rnn.report.page import evaluation_html

        return evaluation_html(self, title)

    def plot_confusion(self, ax: Axes | None = None, normalize: str | None = None) -> Axes:
        """Draw the confusion matrix; the shade of a cell is its share of the true label.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.
        normalize : {"true"}, optional
            Write shares of the true labels instead of counts.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; important labels first, at most 30 labels.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> evaluation = evaluate_labels([0, 0, 1, 1], [0, 1, 1, 1], LabelSet(("Misc", "Nomenclature")))
        >>> [text.get_text() for text in evaluation.plot_confusion().texts]
        ['2', '1', '1']
        """
        from skol_rnn.report.charts import plot_confusion

        return plot_confusion(self, ax, normalize)

    def plot_label_distribution(self, ax: Axes | None = None) -> Axes:
        """Draw the number of true rows of each label on a log axis.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; the most frequent label first.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> evaluation = evaluate_labels([0, 0, 0, 1], [0, 1, 1, 1], LabelSet(("Misc", "Nomenclature")))
        >>> [label.get_text() for label in evaluation.plot_label_distribution().get_yticklabels()]
        ['Misc', 'Nomenclature']
        """
        from skol_rnn.report.charts import plot_label_distribution

        return plot_label_distribution(self.support, self.labels, ax, self.unit)

    def __repr__(self) -> str:
        return (
            f"Evaluation(unit={self.unit!r}, labels={len(self.labels)}, support={self.support.sum()}, "
            f"macro_f1={self.macro_f1:.4f}, accuracy={self.accuracy:.4f})"
        )

    def __str__(self) -> str:
        return "\n".join([*scores_table(self), *marked(self.warnings())])

    def __rich__(self) -> Text:
        return Text(str(self))

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import evaluation_html

        return evaluation_html(self)
