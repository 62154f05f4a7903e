"""The estimator: documents in, labels and scores out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

import skol_rnn
from skol_rnn.data.columns import lengths_of
from skol_rnn.data.inputs import choose_labels, fold_labels, is_label_list, is_line_lists, labelled_table
from skol_rnn.data.splits import split_documents
from skol_rnn.data.table import as_table
from skol_rnn.decoding.constraints import is_bio
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.errors import DataError, NotTrainedError
from skol_rnn.evaluation.findings import Finding, diagnose
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.features.families import check_family
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.imbalance.oversampling import copies_with_originals
from skol_rnn.inference.labeller import Labeller
from skol_rnn.inference.onnx_export import ExportError, network_graph
from skol_rnn.inference.windowed import Sweep
from skol_rnn.labels import LabelSet
from skol_rnn.persistence.bundle import Bundle, load_bundle, save_bundle
from skol_rnn.training.checks import check_against_labels, check_parameters
from skol_rnn.training.fitting import Fitting, TrainingTables
from skol_rnn.training.length import training_length
from skol_rnn.training.log import TrainingLog
from skol_rnn.training.loop import Watch
from skol_rnn.training.objective import WeightsSpec, is_frozen_file, refuse_both
from skol_rnn.training.settings import resolve
from skol_rnn.training.validation import score_lines

HOLD_OUT_FROM = {"line": 20_000, "token": 0}
"""Rows from which some documents are held out by default; of fewer lines, each is worth more in training.

Spans need an offset that is tuned: without one, few articles give hardly any span.
"""
DEFAULT_FRACTION = 0.1


class RNNSkolModel(BaseEstimator):
    """Bidirectional LSTM that labels every line, or every token, of a document.

    Parameters
    ----------
    unit : {"line", "token"}, default "line"
        What is labelled.  Where other parameters say lines, they mean tokens with "token", and where two defaults
        are named, the second is that of tokens.
    input_size : int, optional
        Length of a line's vector.  For ``features="hashed"`` the size of the embedding bag that the network
        learns (64 if not given), for word vectors their size (300), for "tfidf" the size it is reduced to
        (not reduced), for "vectors" the size that is checked.
    hidden_size : int, default 96
        LSTM units in each direction.
    num_layers : int, optional
        Stacked bidirectional layers; 2, of tokens 1, if not given.
    num_classes : int, optional
        Number of labels, checked against the labels; found from them if not given.
    dropout : float, optional
        Share of activations left out in training; if not given 0 for hashed features of lines, half of which
        ``feature_dropout`` leaves out already, else 0.3.
    window_size : int, optional
        Lines in a window; 15, of tokens 128, if not given.
    stride : int, optional
        Lines from window to window in training; a third of the window, of tokens half, if not given.
    prediction_stride : int, optional
        Lines from window to window in prediction; two thirds of the window, of tokens half, if not given.
    prediction_batch_size : int, default 256
        Windows predicted at a time.
    batch_size : int, optional
        Windows in a training batch; 64, of tokens 32, if not given.
    epochs : int, optional
        Passes over all training windows, at most; the preset's if not given.
    num_workers : int, default 1
        Threads that gather batches ahead of the network.
    features : str, default "hashed"
        "hashed", "tfidf", "word2vec", "fasttext", "doc2vec", or "vectors" (the caller's, see ``features_col``).
        Of tokens "hashed", "ngrams" (the same with character n-grams), "characters" (the same with a
        convolution over characters), "word2vec" and "fasttext" (vectors beside the hashed features), or "vectors".
    features_col : str, default "features"
        Column of the caller's vectors.
    label_col : str, default "label"
        Column of the labels.
    line_no_col : str, default "line_number"
        Column of a line's position in its document.
    verbosity : int, default 1
        0 prints nothing, 1 the weights, progress and scores, 2 every warning of every epoch.
    name : str, default "RNN_BiLSTM"
        Name of the model in what it prints and saves.
    class_weights : str, dict of str to float, or ClassWeights, default "auto"
        Weight of each label in the loss: a dict by name (a label left out weighs 1.0), a strategy ("inverse",
        "balanced", "smoothed", "effective", "log", "aggressive"), frozen weights or the path of their file, or
        None for no weights.  "auto" is None too, unless the loss is one that has weights of its own:
        no weighting scored better than none.  Of tokens it is "smoothed" with cross-entropy.
    focal_labels : list of str, optional
        Labels whose soft F1 the loss adds; not together with ``class_weights``.
    weight_alpha : float, default 0.5
        Exponent of "smoothed": weights are count ** -alpha.
    weight_beta : float, default 0.999
        Of "effective" weights; nearer 1 is steeper.
    max_weight_ratio : float, optional
        Largest weight that a strategy gives, as a multiple of the smallest.
    steep_weights : {"margins", "loss"}, default "margins"
        Where the part of a class weight goes that is beyond the ratio of the counts.  "margins" of the logits
        tilt the network's probabilities as far, without taking the frequent labels' lines out of the loss; "loss"
        multiplies errors by all of the weight.
    loss : str, default "auto"
        "cross_entropy", "focal", "class_balanced_focal", "soft_f1" or "logit_adjusted".  "auto" is "soft_f1"
        with ``focal_labels``, else "cross_entropy".
    gamma : float, optional
        Of the focal losses; 2 if not given.
    tau : float, optional
        Of the logit-adjusted loss; 1 if not given.
    label_smoothing : float, default 0.0
        Share of the truth that the loss spreads over all labels.
    sampling : str or dict, optional
        "oversample" copies documents that hold the rarest label, "stratify" leaves some of the others out,
        "rare_windows" draws windows with it more often.  A dict gives the scheme's options besides its "name".
    decision : {"auto", "corrected", "argmax", "tuned", "viterbi"}, optional
        "corrected" decides by posteriors (weights, loss and sampling undone), "argmax" by the model's own
        probabilities, "tuned" by posteriors with offsets tuned on held-out documents for ``monitor``, "viterbi" by
        the most probable sequence under transitions learned from the training documents.  "auto" is "tuned" where
        documents were held out (offsets replace plain posteriors only if their cross-validated gain exceeds one
        standard error), else posteriors with offsets that follow from the label counts; it is the default.  Of BIO
        labels every decision takes the best legal sequence.
    calibration : {"cautious", "bias", "temperature", "none"}, default "cautious"
        Whether a temperature and a bias for each label, or a temperature alone, is fitted to the posteriors of
        the held-out documents.  "cautious" believes a label's bias as far as training tilted that label:
        other documents differ from these.
    tuning_folds : int, default 0
        Folds of the training documents on which the offsets are tuned out of fold, at the price of training
        once for each; 0 tunes them on the held-out documents.
    important : list of str, optional
        Labels whose mean F1 is the important F1; all but the most frequent if not given.
    monitor : str, optional
        Score that chooses the best epoch and the offsets: "important_f1", "macro_f1", "f1/Label", or of tokens
        with BIO labels "fragment_f1", which is the default there; else "important_f1".
    patience : int, optional
        Epochs without a better score before training stops; 2, of tokens 3, if not given.
    min_updates : int, optional
        Smallest number of optimizer updates.  Where epochs, batch size and hop leave fewer, ``fit`` lowers hop and
        batch size and, unless ``epochs`` is given, makes more passes; the log says so.  400, of tokens 40, if not
        given; 0 leaves them as they are.
    validation_fraction : float, optional
        Share of lines, in whole documents, held out where ``fit`` is given no validation data; 0 for none.  If not
        given 0.1, but none of fewer than 20,000 lines, each of which is worth more in training.
    learning_rate : float, optional
        Where Adam's cosine schedule starts; 0.001, of tokens 0.002, if not given.
    feature_dropout : float, optional
        Share of a line's hashed features left out in training; 0.5, of tokens 0.2, if not given.
    linear_share : float, optional
        Weight, in the geometric mean of posteriors, of a linear model over the hashed words of a line and of four lines
        before and after; 0 for none.  0.3 for hashed features of lines (0.15 where ``min_updates`` lengthens training),
        else 0.
    line_size : int, default 128
        Units of the dense layer between features and LSTM.
    merge : {"centre", "mean", "most_context"}, default "centre"
        How the windows over a line are merged.
    use_gpu_in_udf : bool, default False
        Kept for callers of the old class; TensorFlow chooses the device and this changes nothing.
    random_state : int, default 0
        Seed of the split, initial weights, dropout and order.
    preset : {"fast", "default", "best"}, default "default"
        What ``epochs``, ``members`` and ``refit`` are where they are None: the trade of time for F1.
    members : int, optional
        Networks trained side by side, in one, whose logits are averaged; the preset's if not given.
    refit : bool, optional
        Whether, once documents that ``fit`` held out itself have chosen epoch and offsets, a new network is trained
        on all documents, up to the same epoch; the preset's if not given.  The scores of ``history_`` are those of
        the first, which is a single member and had fewer documents.

    Attributes
    ----------
    labels_ : list of str
        Labels in the order of the probabilities.
    class_weights_ : ClassWeights
        Weights as the strategy, the dict or the file gave them, with their counts.
    weights_ : ndarray, shape (labels,)
        Class weights as used, of mean 1 over the lines trained on.
    counts_ : ndarray, shape (labels,)
        Lines of each label that the network trained on, before sampling: without held-out documents unless it was
        trained again with them.
    decoder_ : Decoder
        Correction, temperature, offsets and transitions.
    diagnosis_ : list of Finding
        What went wrong or may have, said in words.
    history_ : dict of str to list of float
        One value an epoch: ``loss``, ``val_f1/Label``, ``val_loss/Label`` and so on; ``refit_loss`` of the training on
        all documents.
    validation_documents_ : list of str
        Documents that chose the epoch and the offsets; with ``refit`` trained on afterwards.
    settings_ : dict of str to object
        The parameters trained with, those that were not given filled in for the unit.

    Examples
    --------
    >>> lines = [f"{'genus' if i % 5 == 0 else 'prose'} number {i}" for i in range(60)]
    >>> labels = ["Nomenclature" if i % 5 == 0 else "Misc" for i in range(60)]
    >>> model = RNNSkolModel(epochs=2, hidden_size=4, input_size=8, verbosity=0)
    >>> model = model.fit([lines] * 3, [labels] * 3)
    >>> model.predict_proba([lines])[0].shape
    (60, 2)
    """

    def __init__(
        self,
        input_size: int | None = None,
        hidden_size: int = 96,
        num_layers: int | None = None,
        num_classes: int | None = None,
        dropout: float | None = None,
        window_size: int | None = None,
        stride: int | None = None,
        prediction_stride: int | None = None,
        prediction_batch_size: int = 256,
        batch_size: int | None = None,
        epochs: int | None = None,
        num_workers: int = 1,
        features: str = "hashed",
        features_col: str = "features",
        label_col: str = "label",
        line_no_col: str = "line_number",
        verbosity: int = 1,
        name: str = "RNN_BiLSTM",
        class_weights: WeightsSpec = "auto",
        focal_labels: Sequence[str] | None = None,
        weight_alpha: float = 0.5,
        weight_beta: float = 0.999,
        max_weight_ratio: float | None = None,
        steep_weights: str = "margins",
        loss: str = "auto",
        gamma: float | None = None,
        tau: float | None = None,
        label_smoothing: float = 0.0,
        sampling: str | Mapping[str, Any] | None = None,
        decision: str | None = None,
        calibration: str = "cautious",
        tuning_folds: int = 0,
        important: Sequence[str] | None = None,
        monitor: str | None = None,
        patience: int | None = None,
        min_updates: int | None = None,
        validation_fraction: float | None = None,
        learning_rate: float | None = None,
        feature_dropout: float | None = None,
        linear_share: float | None = None,
        line_size: int = 128,
        merge: str = "centre",
        use_gpu_in_udf: bool = False,
        random_state: int = 0,
        preset: str = "default",
        members: int | None = None,
        refit: bool | None = None,
        unit: str = "line",
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.num_classes = num_classes
        self.dropout = dropout
        self.window_size = window_size
        self.stride = stride
        self.prediction_stride = prediction_stride
        self.prediction_batch_size = prediction_batch_size
        self.batch_size = batch_size
        self.epochs = epochs
        self.num_workers = num_workers
        self.features = features
        self.features_col = features_col
        self.label_col = label_col
        self.line_no_col = line_no_col
        self.verbosity = verbosity
        self.name = name
        self.class_weights = class_weights
        self.focal_labels = focal_labels
        self.weight_alpha = weight_alpha
        self.weight_beta = weight_beta
        self.max_weight_ratio = max_weight_ratio
        self.steep_weights = steep_weights
        self.loss = loss
        self.gamma = gamma
        self.tau = tau
        self.label_smoothing = label_smoothing
        self.sampling = sampling
        self.decision = decision
        self.calibration = calibration
        self.tuning_folds = tuning_folds
        self.important = important
        self.monitor = monitor
        self.patience = patience
        self.min_updates = min_updates
        self.validation_fraction = validation_fraction
        self.learning_rate = learning_rate
        self.feature_dropout = feature_dropout
        self.linear_share = linear_share
        self.line_size = line_size
        self.merge = merge
        self.use_gpu_in_udf = use_gpu_in_udf
        self.random_state = random_state
        self.preset = preset
        self.members = members
        self.refit = refit
        self.unit = unit
        # Users of the old class rely on this one being found at once; all else is checked by fit.
        refuse_both(class_weights, focal_labels)

    # -- training -----------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        labels: Sequence[str] | None = None,
        other: str | None = None,
        validation: Any = None,
        checkpoint: str | Path | None = None,
        strict: bool = False,
        watch: Watch | None = None,
    ) -> RNNSkolModel:
        """Train on annotated documents.

        Parameters
        ----------
        data : DataFrame, list of documents, or path(s)
            A table with ``doc_id``, ``value`` and ``label``; documents as lists of lines with ``y``; or files.
        y : list of list of str, or sequence of str, optional
            Labels of each document's lines (or of a table's rows).
        labels : list of str, optional
            The labels to learn, in order; those that occur, sorted, if not given.
        other : str, optional
            Label of the lines whose own is not among ``labels``, and of lines without one.
        validation : as data, optional
            Documents that choose the best epoch and the offsets; else some of ``data`` are held out.
        checkpoint : path, optional
            File written after each epoch.  Where it exists, training goes on from it, and ends in the same
            weights as a run that was not interrupted.
        strict : bool, default False
            Whether frozen class weights whose counts are no longer those of the data are refused.
        watch : callable, optional
            Called after each epoch with its number and the Evaluation of the held-out documents; what it
            raises ends the training.

        Returns
        -------
        RNNSkolModel
            Self.

        Raises
        ------
        DataError
            If the data cannot be trained on.
        ValueError
            If a parameter is out of its range or a label unknown.
        """
        if labels is None and y is not None and is_label_list(y, data):
            labels, y = list(y), None
        check_parameters(self.get_params())
        check_family(self.features, self.unit)
        # Whatever stops this run, half a model must not pass for a trained one.
        self.__dict__.pop("_labeller", None)
        table = labelled_table(data, y, self.label_col, self.line_no_col, self.unit)
        chosen = choose_labels(table["label"], labels, other)
        settings = resolve(self.get_params(), is_bio(chosen))
        check_against_labels(settings, chosen)
        self.labels_, self.other_ = list(chosen), other
        table["label"] = fold_labels(table["label"], chosen, other, "the training data")
        tables = self._split(table, validation, settings["validation_fraction"])
        self.validation_documents_ = list(dict.fromkeys(tables.held_out["doc_id"]))
        settings, message = training_length(lengths_of(tables.training), settings, self.get_params())
        if message:
            TrainingLog(self.verbosity).say(message)
        fitting = Fitting(settings, chosen)
        fitted = fitting.run(tables, Path(checkpoint) if checkpoint else None, strict, watch)
        self.class_weights_, self.weights_, self.counts_ = fitted.class_weights, fitted.weights, fitted.counts
        self.decoder_, self.history_, self.diagnosis_ = fitted.decoder, fitted.history, fitted.diagnosis
        self._labeller, self.settings_ = fitted.labeller, settings
        return self

    def _labelled(self, data: Any, y: Any, what: str) -> pd.DataFrame:
        """Return the table of annotated documents, with the model's labels."""
        table = labelled_table(data, y, self.label_col, self.line_no_col, self.unit)
        table["label"] = fold_labels(table["label"], LabelSet(tuple(self.labels_)), self.other_, what)
        return table

    def _split(self, table: pd.DataFrame, validation: Any, fraction: float | None) -> TrainingTables:
        if validation is not None:
            held_out = self._labelled(validation, None, "the validation data")
            if held_out["label"].isna().all():
                raise DataError("The validation data have no line with a label: give other documents, or none.")
            return TrainingTables(table, held_out, table)
        none_held_out, log = TrainingTables(table, table.iloc[:0], table), TrainingLog(self.verbosity)
        if fraction is None and len(table) < HOLD_OUT_FROM[self.unit]:
            log.say(
                f"No document is held out: {len(table):,} {self.unit}s are few, and all are trained on "
                "(validation= or validation_fraction= adds scores of each epoch)."
            )
            return none_held_out
        fraction = DEFAULT_FRACTION if fraction is None else fraction
        if not fraction or table["doc_id"].nunique() < 2:
            return none_held_out
        _, chosen = split_documents(table, fraction, self.random_state, copies_with_originals(table))
        out = table["doc_id"].isin(chosen)
        lost = sorted(set(table["label"].dropna()) - set(table.loc[~out, "label"].dropna()))
        if lost:
            log.warn(
                f"No document is held out: the label {lost[0]!r} would lose its only training {self.unit}s. "
                "Annotate a second document that has it."
            )
            return none_held_out
        return TrainingTables(table[~out].reset_index(drop=True), table[out].reset_index(drop=True), table)

    # -- prediction ---------------------------------------------------------------------------------

    def predict_proba(self, data: Any, raw: bool = False) -> Any:
        """Compute the probability of each label for each line.

        Parameters
        ----------
        data : DataFrame, list of documents, or path(s)
            Documents.
        raw : bool, default False
            Whether the tilt that class weights, loss and sampling give the network is left in.

        Returns
        -------
        ndarray of float64, shape (lines, labels), or list of such
            One row a line, in the order of the data; for a list of documents, one array a document.
        """
        table, restore = self._prediction_table(data)
        found = self._raw(table)
        return restore(found if raw else self.decoder_.posterior(found))

    def predict(self, data: Any) -> Any:
        """Label each line.

        Parameters
        ----------
        data : DataFrame, list of documents, or path(s)
            Documents.

        Returns
        -------
        DataFrame or ndarray of object
            For a table or files: the rows in their order with ``prediction`` (index), ``predicted_label`` and
            ``probabilities``.  For a list of documents: one list of labels a document.
        """
        table, restore = self._prediction_table(data)
        probabilities, indices = self._decided(table)
        if not isinstance(data, (pd.DataFrame, str, Path)) and is_line_lists(data):
            documents = np.empty(len(data), dtype=object)
            documents[:] = [self._labeller.labels.decode(part) for part in restore(indices)]
            return documents
        rows = data.copy() if isinstance(data, pd.DataFrame) else table.drop(columns="order")
        rows["prediction"] = restore(indices)
        rows["predicted_label"] = self._labeller.labels.decode(rows["prediction"].to_numpy())
        rows["probabilities"] = list(restore(probabilities))
        return rows

    predict_with_labels = predict

    def _prediction_table(self, data: Any) -> tuple[pd.DataFrame, Callable[[np.ndarray], Any]]:
        """Return the lines in document order, and a function that puts results back in the caller's order."""
        self._require_trained()
        table = as_table(data, line_no_col=self.line_no_col, unit=self.unit)
        if is_line_lists(data):
            # A document without lines has no row, but it has its place in the result.
            ends = np.cumsum([len(document) for document in data])
            return table, lambda results: np.split(results, ends[:-1]) if len(ends) else []
        back = np.argsort(table["order"].to_numpy(), kind="stable")
        return table, lambda results: results[back]

    def _raw(self, table: pd.DataFrame) -> np.ndarray:
        return self._labeller.probabilities(table, Sweep.of(self._settings()))

    def _settings(self) -> dict[str, Any]:
        """Return the parameters, those that were not given as they were resolved in training."""
        return {name: self.settings_[name] if value is None else value for name, value in self.get_params().items()}

    @property
    def decided_by(self) -> str:
        """How labels are decided; without held-out documents there are no offsets to decide by."""
        decision = str(self._settings()["decision"])
        if decision == "auto" and self._has_offsets():
            return "tuned"
        # Models saved before "auto" had "tuned" as the default of tokens.
        return "corrected" if self.decision is None and decision == "tuned" and not self._has_offsets() else decision

    def _decided(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return posteriors, and the labels' indices by the model's decision."""
        if self.decision == "tuned" and not self._has_offsets():
            raise DataError('decision="tuned" needs held-out documents: fit with validation=... or more documents.')
        raw = self._raw(table)
        return self.decoder_.posterior(raw), self.decoder_.decide(raw, lengths_of(table), self.decided_by)

    def _has_offsets(self) -> bool:
        return bool(self.validation_documents_ or self.tuning_folds)

    # -- evaluation ---------------------------------------------------------------------------------

    def evaluate(self, data: Any, y: Any = None) -> Evaluation:
        """Predict annotated documents and score the predictions by class.

        Parameters
        ----------
        data : DataFrame, list of documents, or path(s)
            Documents.
        y : list of list of str, optional
            Their labels, where the data have none.

        Returns
        -------
        Evaluation
            Scores by line and by character, pooled and by document.
        """
        self._require_trained()
        table = self._labelled(data, y, "the data")
        probabilities, predicted = self._decided(table)
        return score_lines(table, predicted, probabilities, self._labeller.labels, self.important, self.unit)

    def compare_decisions(self, data: Any, y: Any = None) -> dict[str, Evaluation]:
        """Score every decision on the same probabilities, so that each is seen beside plain argmax.

        Parameters
        ----------
        data : DataFrame, list of documents, or path(s)
            Documents.
        y : list of list of str, optional
            Their labels, where the data have none.

        Returns
        -------
        dict of str to Evaluation
            "argmax" first; "tuned" only if there were held-out documents to tune on.
        """
        self._require_trained()
        table = self._labelled(data, y, "the data")
        raw, labels = self._raw(table), self._labeller.labels
        posterior, lengths = self.decoder_.posterior(raw), lengths_of(table)
        return {
            how: score_lines(
                table, self.decoder_.decide(raw, lengths, how), posterior, labels, self.important, self.unit
            )
            for how in DECISIONS[1:]
            if how != "tuned" or self._has_offsets()
        }

    def diagnose(self, evaluation: Evaluation | None = None) -> list[Finding]:
        """Say in words what may have gone wrong, with figures and with what to change.

        Parameters
        ----------
        evaluation : Evaluation, optional
            Of documents other than the held-out ones; the findings of the training if not given.

        Returns
        -------
        list of Finding
            The gravest first.
        """
        self._require_trained()
        if evaluation is None:
            return self.diagnosis_
        given = self.class_weights
        return diagnose(
            labels=self._labeller.labels,
            evaluation=evaluation,
            weights=np.array(self.class_weights_.weights),
            counts=self.counts_,
            given=given if isinstance(given, Mapping) else None,
            decision=self.decided_by,
            unit=self.unit,
        )

    def calculate_stats(self, predictions: pd.DataFrame, verbose: bool = True) -> dict[str, Any]:
        """Score a table that :meth:`predict` returned and that still holds the true labels.

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
        if missing:
            raise DataError(f"The predictions have no column {sorted(missing)[0]!r}: give what predict returned.")
        table = self._labelled(predictions, None, "the predictions")
        rows = predictions.iloc[table["order"].to_numpy()]
        probabilities = np.stack(rows["probabilities"].tolist()) if "probabilities" in rows and len(rows) else None
        labels = self._labeller.labels
        predicted = labels.encode(rows["predicted_label"])
        evaluation = score_lines(table, predicted, probabilities, labels, self.important, self.unit)
        if verbose:
            TrainingLog(self.verbosity).say(str(evaluation))
        return evaluation.to_dict()

    def score(self, data: Any, y: Any = None) -> float:
        """Return the important F1 of annotated documents, so that grid search looks at rare labels.

        Parameters
        ----------
        data : DataFrame, list of documents, or path(s)
            Documents.
        y : list of list of str, optional
            Their labels.

        Returns
        -------
        float
            Mean F1 of the labels in ``important``.
        """
        return self.evaluate(data, y).important_f1

    # -- the saved model ----------------------------------------------------------------------------

    def bundle(self) -> Bundle:
        """Return the trained model as JSON values and arrays.

        Returns
        -------
        Bundle
            All that :meth:`load` needs.
        """
        if not self.__sklearn_is_fitted__():
            raise NotTrainedError("No model to save: call fit() first.")
        values, network, features = self._labeller.state()
        state = {
            **values,
            "name": self.name,
            "parameters": self._saved_parameters(),
            "not_given": [name for name, value in self.get_params().items() if value is None],
            "class_weights": self.class_weights_.to_dict(),
            "diagnosis": [asdict(finding) for finding in self.diagnosis_],
            "other": self.other_,
            "history": self.history_,
            "validation_documents": self.validation_documents_,
            "skol_rnn_version": skol_rnn.__version__,
        }
        decision = {"weights": self.weights_, "counts": self.counts_, **self.decoder_.arrays()}
        return Bundle(json.loads(json.dumps(state, default=_plain)), network, features, decision, self._graph())

    def _graph(self) -> bytes | None:
        """Write the network as an ONNX graph; None, and a word about it, where that cannot be done."""
        try:
            return network_graph(self.keras_model, self._settings()["window_size"])
        except ExportError as reason:
            TrainingLog(self.verbosity).warn(
                f"The model is saved without a graph for ONNX Runtime and will predict with Keras only: {reason}."
            )
            return None

    def _saved_parameters(self) -> dict[str, Any]:
        """Parameters as JSON values, none left to later defaults; a file of frozen weights comes along as its content."""
        parameters = self._settings()
        given = parameters["class_weights"]
        if isinstance(given, ClassWeights) or is_frozen_file(given):
            parameters["class_weights"] = None
            parameters["frozen_weights"] = True
        return parameters

    def save(self, path: str | Path) -> Path:
        """Save the trained model as a folder, or as one file if the path ends in ``.skol`` or ``.zip``.

        Parameters
        ----------
        path : path
            Where to; an older model there is replaced.

        Returns
        -------
        Path
            The path.
        """
        return save_bundle(self.bundle(), path)

    def load(self, path: str | Path) -> RNNSkolModel:
        """Become the model saved at a path: its parameters, labels, weights and network.

        Parameters
        ----------
        path : path
            Folder or file.

        Returns
        -------
        RNNSkolModel
            Self.
        """
        return self.set_bundle(load_bundle(path))

    def set_bundle(self, bundle: Bundle) -> RNNSkolModel:
        """Become the model of a bundle.

        Parameters
        ----------
        bundle : Bundle
            What :meth:`bundle` returned.

        Returns
        -------
        RNNSkolModel
            Self.
        """
        state = bundle.state
        labeller = Labeller.from_state(state, bundle.network, bundle.features)
        parameters = dict(state["parameters"])
        self.class_weights_ = ClassWeights.from_dict(state["class_weights"])
        if parameters.pop("frozen_weights", False):
            parameters["class_weights"] = self.class_weights_
        self.settings_ = dict(parameters)
        self.set_params(**parameters)
        self.set_params(**dict.fromkeys(state.get("not_given", ())))
        self._labeller, self.labels_, self.other_ = labeller, state["labels"], state["other"]
        self.history_, self.validation_documents_ = state["history"], state["validation_documents"]
        self.diagnosis_ = [Finding(**finding) for finding in state["diagnosis"]]
        self.weights_, self.counts_ = bundle.decision["weights"], bundle.decision["counts"]
        self.decoder_ = Decoder.from_arrays(bundle.decision)
        return self

    # -- what callers of scikit-learn and of the old class look for ----------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_labeller")

    def _require_trained(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotTrainedError("Model not trained. Call fit() first.")

    def __getstate__(self) -> dict[str, Any]:
        if not self.__sklearn_is_fitted__():
            return super().__getstate__()
        # joblib and Spark send models to workers: as the bundle's bytes, never as pickled Keras objects.
        return {**self.get_params(), "bundle": self.bundle().to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        blob = state.pop("bundle", None)
        super().__setstate__(state)
        if blob is not None:
            self.set_bundle(Bundle.from_bytes(blob))

    @property
    def classes_(self) -> np.ndarray:
        """Labels in the order of the probabilities, as scikit-learn names them."""
        self._require_trained()
        return np.array(self.labels_)

    @property
    def offsets_(self) -> np.ndarray:
        """Offsets of "tuned" decisions, shape (labels,)."""
        self._require_trained()
        return self.decoder_.offsets

    @property
    def labels(self) -> list[str] | None:
        """Labels in the order of the probabilities, None before ``fit``; the old class's name for ``labels_``."""
        return getattr(self, "labels_", None)

    def get_model(self) -> Any:
        """Return the Keras network, as the old class did.

        Returns
        -------
        keras.Model
            Logits out.
        """
        return self.keras_model

    @property
    def keras_model(self) -> Any:
        """The Keras network; logits out."""
        self._require_trained()
        return self._labeller.network

    classifier_model = keras_model

    @property
    def model_weights(self) -> list[np.ndarray]:
        """Arrays of the network."""
        return self.keras_model.get_weights()


def load_model(path: str | Path) -> RNNSkolModel:
    """Load a saved model.

    Parameters
    ----------
    path : path
        Folder or file that :meth:`RNNSkolModel.save` wrote.

    Returns
    -------
    RNNSkolModel
        The model, ready to predict.

    Raises
    ------
    BundleError
        If there is no model, or it is damaged, foreign or newer.
    """
    return RNNSkolModel().load(path)


def _plain(value: Any) -> Any:
    """Turn what JSON does not know, NumPy's numbers and mappings, into what it does."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
