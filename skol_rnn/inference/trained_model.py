"""What a trained ``RNNSkolModel`` does: predict, score, report findings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from skol_rnn.data.inputs import Input, LabelledRows, fold_labels, labelled_table, other_label
from skol_rnn.data.label_numbers import NUMBERS
from skol_rnn.data.table import lengths_of
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.decoding.purpose import is_purpose
from skol_rnn.errors import DataError
from skol_rnn.evaluation.evaluate import score_rows
from skol_rnn.evaluation.findings import Finding, diagnose
from skol_rnn.evaluation.predicted import Predicted
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.inference.deciding import DecidingModel
from skol_rnn.inference.scored import Scored
from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    Lines = Sequence[list[str]] | Sequence[tuple[str, ...]]


class TrainedModel(DecidingModel):
    """The methods of ``RNNSkolModel`` that need a trained network; ``fit`` sets what they read."""

    @overload
    def predict_proba(self, data: pd.DataFrame | str | Path | list[str], raw: bool = False) -> np.ndarray: ...

    @overload
    def predict_proba(self, data: Lines, raw: bool = False) -> list[np.ndarray]: ...

    @overload
    def predict_proba(self, data: Any, raw: bool = False) -> Any: ...

    def predict_proba(self, data: Any, raw: bool = False) -> np.ndarray | list[np.ndarray]:
        """Compute the probability of each label for each line.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents, in any form that ``fit`` takes.
        raw : bool, default False
            Whether to return the network's probabilities instead of posteriors, which undo the effect of class weights,
            loss and sampling and are calibrated.

        Returns
        -------
        ndarray of float64, shape (lines, labels), or list of such
            One row a line, in the order of the data; for a list of documents, one array a document.

        Raises
        ------
        NotTrainedError
            If the model is not trained.
        DataError
            If the data cannot be used.
        """
        self._require_trained()
        given = Input.of(data, line_no_col=self.line_no_col, unit=self.unit)
        found = self._predictor.probabilities(given.table)
        return given.restore(found if raw else self.decoder_.posterior(found))

    @overload
    def predict(self, data: pd.DataFrame | str | Path, decision: str | None = None) -> pd.DataFrame: ...

    @overload
    def predict(self, data: Lines | list[str], decision: str | None = None) -> np.ndarray: ...

    @overload
    def predict(self, data: Any, decision: str | None = None) -> Any: ...

    def predict(self, data: Any, decision: str | None = None) -> pd.DataFrame | np.ndarray:
        """Label each line.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents, in any form that ``fit`` takes.
        decision : str, optional
            How labels are decided, as for the parameter of that name; that one if not given.

        Returns
        -------
        DataFrame or ndarray of object
            For a table of any library, a corpus or files: a DataFrame of pandas, the rows in their order with
            ``prediction`` (index), ``predicted_label`` and ``probabilities``.  For a list of lines: a label a line.  For
            a list of documents: one list of labels a document.

        Raises
        ------
        NotTrainedError
            If the model is not trained.
        DataError
            If the data cannot be used.
        """
        self._require_trained()
        given = Input.of(data, line_no_col=self.line_no_col, unit=self.unit)
        raw = self._predictor.probabilities(given.table)
        indices = self.decoder_.decide(raw, lengths_of(given.table), decision or self.decided_by)
        return given.with_predictions(self.labels_, indices, self.decoder_.posterior(raw))

    predict_with_labels = predict

    def evaluate(self, data: Any, y: Any = None, *, other: str | None = None) -> Evaluation:
        """Predict annotated documents and score the predictions for each label.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents, in any form that ``fit`` takes.
        y : list of str or list of list of str, optional
            Labels of the lines, where the data have none, as for ``fit``.
        other : str, optional
            Label that counts for lines of a label that the model does not know; that of ``fit`` if not given.

        Returns
        -------
        Evaluation
            Scores by line and by character, pooled and by document.
        """
        return self._evaluations(data, y, other, [self.decided_by])[0]

    def compare_decisions(self, data: Any, y: Any = None, *, other: str | None = None) -> dict[str, Evaluation]:
        """Score every decision on the same probabilities.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents, in any form that ``fit`` takes.
        y : list of str or list of list of str, optional
            Labels of the lines, where the data have none, as for ``fit``.
        other : str, optional
            Label that counts for lines of a label that the model does not know; that of ``fit`` if not given.

        Returns
        -------
        dict of str to Evaluation
            "argmax" first; "tuned" only if offsets were tuned on a validation set.
        """
        self._require_trained()
        decisions = [how for how in DECISIONS if how != "auto" and (how != "tuned" or self.decoder_.tuned)]
        return dict(zip(decisions, self._evaluations(data, y, other, decisions), strict=True))

    def _evaluations(self, data: Any, y: Any, other: str | None, decisions: list[str]) -> list[Evaluation]:
        rows = LabelledRows.of(self._labelled(data, y, "the data", other=other), LabelSet(tuple(self.labels_)))
        raw = self._predictor.probabilities(rows.table)
        return [
            self._scores(rows, self.decoder_.decide(raw, rows.lengths, how), self.decoder_.posterior(raw))
            for how in decisions
        ]

    def predicted(self, data: Any, y: Any = None, *, other: str | None = None) -> Predicted:
        """Predict documents and keep what a report shows: scores, rows, probabilities.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents; without labels there are predictions and no scores.
        y : list of str or list of list of str, optional
            Labels of the lines, where the data have none, as for ``fit``.
        other : str, optional
            Label that counts for lines of a label that the model does not know; that of ``fit`` if not given.

        Returns
        -------
        Predicted
            The evaluation is that of :meth:`evaluate`.
        """
        labels = LabelSet(tuple(self.labels_))
        rows = LabelledRows.of(self._labelled(data, y, "the data", False, other), labels)
        raw, decision = self._predictor.probabilities(rows.table), self.decided_by
        posterior = self.decoder_.posterior(raw)
        found = {how: self.decoder_.decide(raw, rows.lengths, how) for how in (decision, "argmax")}
        scores = {how: self._scores(rows, indices, posterior) for how, indices in found.items()}
        table = rows.table.drop(columns="order").assign(predicted=labels.decode(found[decision]))
        argmax = None if decision == "argmax" else scores["argmax"]
        return Predicted(scores[decision], argmax, table, posterior, labels, decision)

    def _scores(self, rows: LabelledRows, predicted: np.ndarray, probabilities: np.ndarray | None) -> Evaluation:
        return score_rows(rows, predicted, probabilities, self._predictor.labels, self.important, self.unit)

    def _labelled(self, data: Any, y: Any, what: str, required: bool = True, other: str | None = None) -> pd.DataFrame:
        """Return the table of annotated documents with the model's labels."""
        labels = LabelSet(tuple(self.labels_))
        other = other_label(other, self.other_, labels)
        columns = (self.label_col, self.line_no_col, self.unit)
        table = labelled_table(data, y, *columns, other, required, self.labels_)
        if not required and table["label"].isna().all():
            return table
        table["label"] = fold_labels(table["label"], labels, other, what)
        return table

    def report(self, predicted: Predicted, *, title: str | None = None, groups: Mapping[str, str] | None = None) -> str:
        """Render the report of predicted documents as one HTML page.

        Parameters
        ----------
        predicted : Predicted
            What :meth:`predicted` returned.
        title : str, optional
            Title of the page; the name of the model if not given.
        groups : mapping of str to str, optional
            Group of each document, such as its journal; the folder or the first part of the name if not given.

        Returns
        -------
        str
            The page: scores with intervals, curves, confusions, training, and the documents, worst first.

        Raises
        ------
        ImportError
            If jinja2 or matplotlib is not installed.
        """
        from skol_rnn.inference.explanation import explain_errors
        from skol_rnn.report.page import report_html

        findings = self.diagnose(predicted.evaluation)
        card = self.training_record()
        return report_html(
            predicted,
            title=title or self.name,
            card=card,
            history=self.history_,
            findings=findings,
            groups=groups,
            why=explain_errors(self._predictor, predicted),
        )

    def training_record(self) -> dict[str, Any]:
        """Return what the model records about its training: documents, label counts, weights, settings, versions.

        Returns
        -------
        dict
            ``counts``, ``weights`` and ``offsets`` by label, ``class_weights``, ``settings``, ``decision``, ``split``,
            and the model card if the model has one.
        """
        columns = {"counts": self.counts_, "weights": self.weights_, "offsets": self.offsets_}
        by_label = {key: dict(zip(self.labels_, column.tolist(), strict=True)) for key, column in columns.items()}
        settings = {name: value for name, value in self._settings().items() if name != "class_weights"}
        return {
            "name": self.name,
            "class_weights": self.class_weights_.strategy,
            "decision": self.decided_by,
            "settings": settings,
            **({"split": {"validation": self.validation_documents_}} if self.validation_documents_ else {}),
            **getattr(self, "card_", {}),
            **by_label,
        }

    def score(self, data: Any, y: Any = None) -> float:
        """Return the important F1 of annotated documents, for grid search.

        A label that the model does not know, because its training documents lacked it, counts as missed.
        :mod:`skol_rnn.scorers` has other scores.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents, in any form that ``fit`` takes.
        y : list of str or list of list of str, optional
            Labels of the lines, as for ``fit``.

        Returns
        -------
        float
            Mean F1 of the labels in ``important``.
        """
        return Scored.of(self, data, y).evaluation(self).important_f1

    def diagnose(self, evaluation: Evaluation | None = None) -> list[Finding]:
        """Say in words what may have gone wrong, with figures and advice.

        Parameters
        ----------
        evaluation : Evaluation, optional
            Scores of other documents than the validation set; the findings of the training if not given.

        Returns
        -------
        list of Finding
            The most serious first.
        """
        self._require_trained()
        if evaluation is None:
            return self.findings_
        if is_purpose(self.decided_by):
            return []  # its trade between precision and recall is wanted
        return diagnose(
            labels=self._predictor.labels,
            evaluation=evaluation,
            weights=self.weights_,
            counts=self.counts_,
            given=self.class_weights if isinstance(self.class_weights, Mapping) else None,
            decision=self.decided_by,
            unit=self.unit,
            epochs=self._network_spec is not None,
        )

    def calculate_stats(self, predictions: pd.DataFrame, verbose: bool = True) -> dict[str, Any]:
        """Score a table that :meth:`predict` returned and that has the true labels.

        Parameters
        ----------
        predictions : DataFrame
            With the label column, ``predicted_label``, and ``probabilities`` for the losses.
        verbose : bool, default True
            Whether to print the table of scores (never at ``verbosity=0``).

        Returns
        -------
        dict
            ``{label}_precision``, ``_recall``, ``_f1``, ``_loss``, ``_support`` for each label, then
            ``important_f1``, ``macro_f1``, ``accuracy`` and the rest.

        Raises
        ------
        DataError
            If a column is missing.
        """
        self._require_trained()
        missing = {self.label_col, "predicted_label"} - set(predictions.columns)
        if NUMBERS in predictions.columns:
            missing.discard("label")
        if missing:
            column = sorted(missing)[0]
            raise DataError(f"The predictions have no column {column!r}: use the table that predict returned.")
        labels = self._predictor.labels
        table = self._labelled(predictions, None, "the predictions")
        rows = predictions.iloc[table["order"].to_numpy()]
        probabilities = np.stack(rows["probabilities"].tolist()) if "probabilities" in rows and len(rows) else None
        evaluation = self._scores(LabelledRows.of(table, labels), labels.encode(rows["predicted_label"]), probabilities)
        if verbose and self.verbosity:
            print(evaluation)  # noqa: T201  # the caller asks for it
        return evaluation.to_dict()

    @property
    def offsets_(self) -> np.ndarray:
        """Offsets of log posteriors in "auto" and "tuned" decisions, shape (labels,)."""
        return self.decoder_.offsets

    @property
    def classes_(self) -> np.ndarray:
        """Labels in the order of the probabilities, as scikit-learn names them."""
        self._require_trained()
        return np.array(self.labels_)

    @property
    def labels(self) -> list[str] | None:
        """``labels_``, or None before ``fit``; the former class's name."""
        return getattr(self, "labels_", None)

    @property
    def classifier_model(self) -> Any:
        """``keras_model``; the former class's name."""
        return self.keras_model

    def get_model(self) -> Any:
        """Return the Keras network, as the former class did.

        Returns
        -------
        keras.Model
            The network; its output are logits.
        """
        return self.keras_model

    @property
    def model_weights(self) -> list[np.ndarray]:
        """Arrays of the Keras network."""
        return self.keras_model.get_weights()
