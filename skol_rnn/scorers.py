"""Scores for the model selection of scikit-learn: ``scoring=skol_rnn.scorers.important_f1``.

Each scorer takes a trained model, documents, and the labels of their lines, as ``cross_val_score`` and ``GridSearchCV`` pass
them, and returns a number; larger is better.  The scores are those of :class:`skol_rnn.Evaluation`, over all labels that the
model or the documents have: a label that the training documents of a fold lack counts as missed, one that is neither there
nor predicted has an F1 of 0.  Lines without a label are not scored.

Scorers are plain functions and objects that joblib can send to other processes, and the values of a dict for
``cross_validate``.  :func:`flat` makes such a scorer of any name that scikit-learn knows.

Examples
--------
>>> from sklearn.model_selection import cross_validate
>>> from skol_rnn import RNNSkolModel, scorers
>>> lines = [f"{'genus' if i % 5 == 0 else 'prose'} number {i}" for i in range(30)]
>>> labels = ["Nomenclature" if i % 5 == 0 else "Misc" for i in range(30)]
>>> model = RNNSkolModel(epochs=1, min_updates=0, hidden_size=4, ensemble_size=1, verbosity=0)
>>> scoring = {"important": scorers.important_f1, "accuracy": scorers.flat("accuracy")}
>>> found = cross_validate(model, [lines, lines[5:]], [labels, labels[5:]], cv=2, scoring=scoring)
>>> found["test_important"].shape
(2,)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, precision_recall_curve

from skol_rnn.evaluation.result import Evaluation
from skol_rnn.inference.scored import Scored
from skol_rnn.labels import NO_LABEL

if TYPE_CHECKING:
    from skol_rnn.inference.trained_model import TrainedModel


def important_f1(estimator: Any, X: Any, y: Any = None) -> float:  # noqa: N803
    """Return the mean F1 of the important labels.

    Parameters
    ----------
    estimator : RNNSkolModel
        A trained model, or a search or wrapper that holds one.
    X : list of documents, DataFrame, or path(s)
        Documents.
    y : list of list of str, optional
        Labels of the lines, where the documents have none.

    Returns
    -------
    float
        The score of :meth:`RNNSkolModel.score`; the labels are those of the parameter ``important``.
    """
    return _evaluation(estimator, X, y).important_f1


def macro_f1(estimator: Any, X: Any, y: Any = None) -> float:  # noqa: N803
    """Return the mean F1 of all labels.

    Parameters
    ----------
    estimator : RNNSkolModel
        A trained model, or a search or wrapper that holds one.
    X : list of documents, DataFrame, or path(s)
        Documents.
    y : list of list of str, optional
        Labels of the lines, where the documents have none.

    Returns
    -------
    float
        ``sklearn.metrics.f1_score(..., average="macro", labels=all, zero_division=0)`` of all lines.
    """
    return _evaluation(estimator, X, y).macro_f1


def fragment_f1(estimator: Any, X: Any, y: Any = None) -> float:  # noqa: N803
    """Return the F1 of spans with credit for partial overlap.

    Parameters
    ----------
    estimator : RNNSkolModel
        A trained model of BIO tokens, or a search or wrapper that holds one.
    X : list of documents, DataFrame, or path(s)
        Documents.
    y : list of list of str, optional
        Labels of the tokens, where the documents have none.

    Returns
    -------
    float
        The score of :func:`skol_rnn.fragment_scores`, in characters where a table has offsets.

    Raises
    ------
    ValueError
        If the labels are not BIO labels of tokens.
    """
    score = _evaluation(estimator, X, y).fragment_f1
    if score is None:
        raise ValueError('fragment_f1 needs BIO labels and a model with unit="token".')
    return score


@dataclass(frozen=True)
class f1_of:  # noqa: N801  # it is used as the other scorers
    """Scorer that returns the F1 of one label.

    Parameters
    ----------
    label : str
        A label of the model or of the scored documents; any other is an error.

    Examples
    --------
    >>> f1_of("Nomenclature")
    f1_of(label='Nomenclature')
    """

    label: str

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:  # noqa: N803
        """Score a trained model."""
        evaluation = _evaluation(estimator, X, y)
        return float(evaluation.f1[evaluation.labels.index(self.label)])


@dataclass(frozen=True)
class recall_at_precision:  # noqa: N801
    """Scorer that returns the recall of a label at the lowest threshold with enough precision.

    Parameters
    ----------
    label : str
        A label of the model or of the scored documents; any other is an error.
    precision : float
        Least precision, above 0 and at most 1.

    Raises
    ------
    ValueError
        If the precision is out of range.

    Examples
    --------
    >>> recall_at_precision("Nomenclature", 0.9)
    recall_at_precision(label='Nomenclature', precision=0.9)
    """

    label: str
    precision: float

    def __post_init__(self) -> None:
        if not 0 < self.precision <= 1:
            raise ValueError(f"precision must be above 0 and at most 1, but is {self.precision!r}.")

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:  # noqa: N803
        """Score a trained model; 0.0 where no threshold is precise enough or no line has the label."""
        found = Scored.of(_model(estimator), X, y)
        label = found.labels.index(self.label)
        known = found.rows.true != NO_LABEL
        true = found.rows.true[known] == label
        if not true.any():
            return 0.0
        precision, recall, _ = precision_recall_curve(true, found.probabilities[known, label])
        # The last point has no threshold: nothing is predicted there.
        return float(recall[:-1].max(where=precision[:-1] >= self.precision, initial=0.0))


class flat:  # noqa: N801
    """Make a scorer of scikit-learn score all lines of all documents together.

    The names of scikit-learn (``"f1_macro"``, ``"balanced_accuracy"``, ``"neg_log_loss"``) expect one label a sample, and fail on
    lists of documents.  Metrics with an argument ``labels`` receive all labels of model and documents.  The area under a
    ROC curve stays undefined where the scored documents lack a label.

    Parameters
    ----------
    scoring : str or callable
        A name of ``sklearn.metrics.get_scorer_names()``, or what ``sklearn.metrics.make_scorer`` returned.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> flat("f1_macro")
    flat('f1_macro')
    """

    def __init__(self, scoring: str | Callable[..., float]) -> None:
        self.scoring = scoring
        self._scorer: Any = get_scorer(scoring)

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:  # noqa: N803
        """Score a trained model."""
        found = Scored.of(_model(estimator), X, y)
        known, names = found.rows.true != NO_LABEL, np.array(found.labels.names)
        answers = _Answers(names[found.predicted[known]], found.probabilities[known], names)
        options = {"labels": answers.classes_, "zero_division": 0}
        taken = inspect.signature(self._scorer._score_func).parameters
        options = {name: value for name, value in options.items() if name in taken and name not in self._scorer._kwargs}
        with config_context(enable_metadata_routing=True):  # scorers take options only then
            return float(self._scorer(answers, None, names[found.rows.true[known]], **options))

    def __repr__(self) -> str:
        return f"flat({self.scoring!r})"


class _Answers(ClassifierMixin, BaseEstimator):
    """Predictions in the form of a classifier; the columns are in sorted order, in which scikit-learn reads them."""

    def __init__(self, predicted: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> None:
        order = np.argsort(labels)
        self.predicted, self.probabilities, self.classes_ = predicted, probabilities[:, order], labels[order]

    def predict(self, _: Any) -> np.ndarray:
        return self.predicted

    def predict_proba(self, _: Any) -> np.ndarray:
        return self.probabilities


def _evaluation(estimator: Any, data: Any, y: Any) -> Evaluation:
    model = _model(estimator)
    return Scored.of(model, data, y).evaluation(model)


def _model(estimator: Any) -> TrainedModel:
    """Return the trained model in a search or a wrapper."""
    from skol_rnn.inference.trained_model import TrainedModel  # loads TensorFlow, which the estimator needed anyway

    for name in ("best_estimator_", "estimator_"):
        if hasattr(estimator, name):
            return _model(getattr(estimator, name))
    if not isinstance(estimator, TrainedModel):
        raise TypeError(f"skol_rnn.scorers score RNNSkolModel, not {type(estimator).__name__}.")
    return estimator
