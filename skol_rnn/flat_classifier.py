"""Lines as the samples of a classifier, for what in scikit-learn needs one label a sample."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skol_rnn.data.inputs import labelled_table
from skol_rnn.data.table import is_missing
from skol_rnn.errors import DataError, SeenWarning
from skol_rnn.labels import LabelSet


class FlatClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier of single lines that learns and predicts them in their documents.

    Each row of a table is a sample, so that everything of scikit-learn that needs one label a sample works, such as
    ``scoring="f1_macro"``, ``StratifiedGroupKFold`` and ``learning_curve``.  Pass the documents as ``groups``, with a splitter for
    groups: ``cv=3`` alone would tear documents apart.

    Parameters
    ----------
    estimator : RNNSkolModel
        The model; it is cloned.

    Attributes
    ----------
    estimator_ : RNNSkolModel
        The trained model.
    classes_ : ndarray
        Labels in sorted order, that of the probabilities.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> from skol_rnn import FlatClassifier, RNNSkolModel, flatten
    >>> lines = [f"{'genus' if i % 5 == 0 else 'prose'} number {i}" for i in range(30)]
    >>> labels = ["Nomenclature" if i % 5 == 0 else "Misc" for i in range(30)]
    >>> X, y, documents = flatten([lines, lines[5:]], [labels, labels[5:]])
    >>> model = RNNSkolModel(epochs=1, min_updates=0, hidden_size=4, ensemble_size=1, verbosity=0)
    >>> cross_val_score(FlatClassifier(model), X, y, groups=documents, cv=GroupKFold(2), scoring="f1_macro").shape
    (2,)
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: pd.DataFrame, y: Any, **fit_params: Any) -> Self:  # noqa: N803
        """Train on the lines of whole documents.

        Parameters
        ----------
        X : DataFrame
            One row a line, with ``doc_id`` and ``value``.
        y : sequence of str or int
            The label of each row.
        **fit_params
            Further arguments of :meth:`RNNSkolModel.fit`, such as ``sample_weight``.  ``labels`` may hold labels that ``y``
            lacks.

        Returns
        -------
        FlatClassifier
            Self.

        Raises
        ------
        DataError
            If a row has no label, or the data cannot be trained on.
        """
        if y is None:
            raise ValueError("FlatClassifier requires y to be passed, but the target y is None.")
        given = column_or_1d(y, warn=True).tolist()
        for row, label in enumerate(given):
            if is_missing(label):
                raise DataError(
                    f"Row {row} has no label, and scikit-learn scores every row: use RNNSkolModel with "
                    "skol_rnn.scorers.flat, which leaves out such rows."
                )
        check_classification_targets(given)
        lines = self._lines(X)
        # In a fold y may lack labels that the caller names.
        self.classes_ = np.unique(list(fit_params.pop("labels", given)))
        labels = LabelSet(tuple(map(str, self.classes_)))
        self.estimator_ = clone(self.estimator).fit(X, list(map(str, given)), labels=labels, **fit_params)
        self._trained_lines = lines
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Label each row.

        Parameters
        ----------
        X : DataFrame
            One row a line.

        Returns
        -------
        ndarray, shape (rows,)
            Labels.
        """
        self._check(X)
        return self.classes_[self.estimator_.predict(X)["prediction"].to_numpy()]

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Compute the probability of each label for each row.

        Parameters
        ----------
        X : DataFrame
            One row a line.

        Returns
        -------
        ndarray of float64, shape (rows, labels)
            Probabilities, in the order of ``classes_``.
        """
        self._check(X)
        return np.asarray(self.estimator_.predict_proba(X))

    def score(self, X: pd.DataFrame, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Return the important F1; accuracy says little about rare labels.

        Parameters
        ----------
        X : DataFrame
            One row a line.
        y : sequence of str or int
            The label of each row.
        sample_weight : None
            Not supported.

        Returns
        -------
        float
            Mean F1 of the labels in ``important`` of the model.
        """
        if sample_weight is not None:
            raise ValueError("The important F1 counts lines without weights: leave sample_weight out.")
        self._check(X)
        return float(self.estimator_.score(X, list(map(str, y))))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        return tags

    def _check(self, rows: pd.DataFrame) -> None:
        check_is_fitted(self, "estimator_")
        known = self._trained_lines
        torn = [name for name, lines in self._lines(rows).items() if name in known and not lines & known[name]]
        if torn:
            warnings.warn(
                f"The model was trained on other lines of the document {torn[0]!r} than it predicts now"
                f"{f' ({len(torn)} such documents)' * (len(torn) > 1)}. Split by document: "
                "groups=X['doc_id'], cv=GroupKFold(3).",
                SeenWarning,
                stacklevel=3,
            )

    def _lines(self, rows: Any) -> dict[str, set[Any]]:
        """Return the numbers of the lines of each document, where a table has such a column."""
        if not isinstance(rows, pd.DataFrame):
            kind = type(rows).__name__
            raise TypeError(
                f"X must be a DataFrame with one row a line, not {kind}: flatten(documents, labels) makes it."
            )
        column = self.estimator.line_no_col
        if not {"doc_id", column} <= set(rows.columns):
            return {}
        return {str(name): set(numbers) for name, numbers in rows.groupby("doc_id")[column]}


def flatten(documents: Any, labels: Any = None, *, unit: str = "line") -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Turn documents into the rows, labels and groups of :class:`FlatClassifier`.

    Parameters
    ----------
    documents : list of documents, Corpus, or path(s)
        Documents.
    labels : list of list of str, optional
        Labels of the lines, where the documents have none.
    unit : {"line", "token"}, default "line"
        What gets a label.

    Returns
    -------
    X : DataFrame
        One row a line.
    y : ndarray of object
        The label of each row.
    groups : ndarray of object
        The name of each row's document.

    Examples
    --------
    >>> X, y, groups = flatten([["Fusella minor", "Pileus red"], ["Thanks"]], [["Name", "Text"], ["Text"]])
    >>> X["value"].tolist(), y.tolist(), groups.tolist()
    (['Fusella minor', 'Pileus red', 'Thanks'], ['Name', 'Text', 'Text'], ['0', '0', '1'])
    """
    table = labelled_table(documents, labels, unit=unit)
    rows = table.drop(columns=["label", "order"])
    return rows, table["label"].to_numpy(dtype=object), rows["doc_id"].to_numpy(dtype=object)
