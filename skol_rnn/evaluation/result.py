"""The result object of an evaluation: whole-set counts, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.evaluation.weight_findings import findings
from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    from rich.table import Table


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
        What one count stands for, one of ``evaluation.UNITS``.
    confusion : ndarray of int64, shape (K, K)
        Counts; rows are true labels, columns predicted ones.
    missing : ndarray of int64, shape (K,)
        By true label, how many got no prediction: errors that stand in no column.
    loss_sums : ndarray of float, shape (K,)
        By true label, the sum of -log p(true label); NaN without probabilities.
    important : tuple of str
        The labels whose mean F1 is ``important_f1``.
    missing_probabilities : int
        How many lines had no probability and cost -log(``evaluation.EPSILON``) each.
    by_character : Evaluation or None
        The same with every line counted as its number of characters.
    per_document : tuple of (str, Evaluation)
        The same for each document, in order of first appearance.
    fragment_f1 : float, optional
        Fragment F1 of the spans that BIO labels mark, all documents together.

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
    def characters(self) -> np.ndarray | None:
        """Confusion counted in characters, shape (K, K), or None where no lengths were given."""
        return None if self.by_character is None else self.by_character.confusion

    @property
    def support(self) -> np.ndarray:
        """True counts, shape (K,), those without a prediction included."""
        return self.confusion.sum(axis=1) + self.missing

    @property
    def predicted(self) -> np.ndarray:
        """Predicted counts, shape (K,)."""
        return self.confusion.sum(axis=0)

    @property
    def precision(self) -> np.ndarray:
        """Right among predicted, shape (K,); 0.0 for a class never predicted."""
        return _ratio(self.confusion.diagonal(), self.predicted)

    @property
    def recall(self) -> np.ndarray:
        """Right among true, shape (K,); 0.0 for a class without support."""
        return _ratio(self.confusion.diagonal(), self.support)

    @property
    def f1(self) -> np.ndarray:
        """F1 = 2 right / (true + predicted), shape (K,); 0.0 where both are 0."""
        return _ratio(2 * self.confusion.diagonal(), self.support + self.predicted)

    @property
    def loss(self) -> np.ndarray:
        """Unweighted mean -log p(true label) by true label, shape (K,); NaN without support or probabilities."""
        return np.where(self.support > 0, _ratio(self.loss_sums, self.support), np.nan)

    @property
    def macro_precision(self) -> float:
        """Plain mean of precision over all K labels."""
        return float(self.precision.mean())

    @property
    def macro_recall(self) -> float:
        """Plain mean of recall over all K labels."""
        return float(self.recall.mean())

    @property
    def macro_f1(self) -> float:
        """Plain mean of F1 over all K labels, ``f1_score(labels=all, average="macro", zero_division=0)``."""
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
        """Plain mean of F1 over ``important``: by default all labels but the most frequent true one."""
        return float(self.f1[[self.labels.index(name) for name in self.important]].mean())

    @property
    def accuracy(self) -> float:
        """Right among all; a missing prediction is wrong; 0.0 where nothing was counted."""
        return float(_ratio(self.confusion.trace(), self.support.sum()))

    @property
    def mean_loss(self) -> float:
        """Unweighted mean -log p(true label) over all lines; NaN without lines or probabilities."""
        total = self.support.sum()
        return float(self.loss_sums.sum() / total) if total else float("nan")

    @property
    def true_share(self) -> np.ndarray:
        """Support as a share of all, shape (K,)."""
        return _ratio(self.support, self.support.sum())

    @property
    def predicted_share(self) -> np.ndarray:
        """Predicted counts as a share of the predictions made, shape (K,)."""
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
            A copy; scores by character and by document follow.

        Raises
        ------
        ValueError
            If there is no name, or one is unknown.
        """
        if isinstance(names, str) or not names:
            raise ValueError('important must be a list of at least one label, such as ["Nomenclature"].')
        chosen = tuple(dict.fromkeys(self.labels.names[self.labels.index(name)] for name in names))
        characters = None if self.by_character is None else self.by_character.with_important(chosen)
        documents = tuple((doc_id, part.with_important(chosen)) for doc_id, part in self.per_document)
        return replace(self, important=chosen, by_character=characters, per_document=documents)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as one flat dict, ready for JSON (losses may be NaN).

        ``f1_score``, ``precision`` and ``recall`` are the support-weighted ones. The classifier that these
        names come from gave the precision and recall of its first label there, which users took for overall
        figures. ``L_accuracy`` is the recall of label L. Where a label is called like an average ("macro"),
        the average keeps the key.

        Returns
        -------
        dict
            ``L_accuracy``, ``L_precision``, ``L_recall``, ``L_f1``, ``L_loss``, ``L_support`` for each label L,
            the averages, ``total_predictions``, ``missing_predictions``, ``confusion_matrix``, ``labels``, ``unit``.
        """
        return self._class_scores() | {
            "precision": self.weighted_precision,
            "recall": self.weighted_recall,
            "f1_score": self.weighted_f1,
            "loss": self.mean_loss,
            "macro_precision": self.macro_precision,
            "macro_recall": self.macro_recall,
            "macro_f1": self.macro_f1,
            "weighted_precision": self.weighted_precision,
            "weighted_recall": self.weighted_recall,
            "weighted_f1": self.weighted_f1,
            "important_f1": self.important_f1,
            "accuracy": self.accuracy,
            "total_predictions": float(self.support.sum()),
            "missing_predictions": int(self.missing.sum()),
            "confusion_matrix": self.confusion.tolist(),
            "labels": list(self.labels),
            "unit": self.unit,
            **({} if self.fragment_f1 is None else {"fragment_f1": self.fragment_f1}),
        }

    def _class_scores(self) -> dict[str, float]:
        columns = {
            "accuracy": self.recall,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "loss": self.loss,
            "support": self.support,
        }
        return {f"{name}_{key}": float(v[i]) for i, name in enumerate(self.labels) for key, v in columns.items()}

    def history(self, prefix: str = "val_") -> dict[str, float]:
        """Return the scores under the names that an epoch's log uses.

        Parameters
        ----------
        prefix : str
            What every name starts with.

        Returns
        -------
        dict
            ``{prefix}f1/Label`` and likewise precision, recall, loss, then the means.

        Examples
        --------
        >>> from skol_rnn.evaluation.evaluate import evaluate_labels
        >>> logs = evaluate_labels([0, 1], [0, 1], LabelSet(("a", "b"))).history()
        >>> logs["val_f1/a"], logs["val_macro_f1"]
        (1.0, 1.0)
        """
        columns = {"f1": self.f1, "precision": self.precision, "recall": self.recall, "loss": self.loss}
        scores = {f"{key}/{name}": float(v[i]) for key, v in columns.items() for i, name in enumerate(self.labels)}
        scores |= {"important_f1": self.important_f1, "macro_f1": self.macro_f1, "accuracy": self.accuracy}
        if self.fragment_f1 is not None:
            scores["fragment_f1"] = self.fragment_f1
        return {prefix + key: value for key, value in scores.items()}

    def warnings(self) -> list[str]:
        """Say in words what a glance at the averages would hide, and what to try.

        Returns
        -------
        list of str
            One sentence each, see `skol_rnn.evaluation.weight_findings.findings`.
        """
        return [str(finding) for finding in findings(self)]

    def __repr__(self) -> str:
        return (
            f"Evaluation(unit={self.unit!r}, labels={len(self.labels)}, support={self.support.sum()}, "
            f"macro_f1={self.macro_f1:.4f}, accuracy={self.accuracy:.4f})"
        )

    def __str__(self) -> str:
        from skol_rnn.evaluation.report import to_text

        return to_text(self)

    def __rich__(self) -> Table:
        from skol_rnn.evaluation.report import report_table

        return report_table(self)

    def _repr_html_(self) -> str:
        from skol_rnn.evaluation.report import notebook_html

        return notebook_html(self)
