"""The estimator: documents in, labels and scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skol_rnn.data.bio import is_bio
from skol_rnn.data.inputs import (
    Input,
    LabelledRows,
    choose_labels,
    data_and_labels,
    fold_labels,
    is_label_list,
    labelled_table,
)
from skol_rnn.decoding.purpose import is_purpose
from skol_rnn.errors import NotTrainedError
from skol_rnn.evaluation.history import History
from skol_rnn.frameworks import choose_backend
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.inference.card import adapted_facts, calibration_facts, document_facts, score_facts, training_facts
from skol_rnn.inference.trained_model import TrainedModel
from skol_rnn.labels import UNLABELLED, LabelSet, check_choice
from skol_rnn.persistence.bundle import Bundle, Key
from skol_rnn.report.curves import bootstrap_intervals
from skol_rnn.report.training import score_without, warn_of_shared_documents
from skol_rnn.training.adapting import Adaptation, adaptation, adapted, check_adaptable
from skol_rnn.training.callbacks import Callbacks, EpochCallback
from skol_rnn.training.checks import check_against_labels, check_instant_run, check_parameters
from skol_rnn.training.fitting import Fitted, Fitting
from skol_rnn.training.folds import FoldedFitting, training_folds
from skol_rnn.training.instant import InstantFitting
from skol_rnn.training.length import prediction_windows, training_length
from skol_rnn.training.log import TrainingLog
from skol_rnn.training.parameters import ModelParameters, saved_parameters
from skol_rnn.training.sample_weights import weigh
from skol_rnn.training.settings import DEFAULT_FRACTION, INSTANT, OF_NETWORK, resolve
from skol_rnn.training.split import Split, drawn_split, given_split


class _NotFittedError(NotTrainedError, NotFittedError):
    """The package's error, under the name of scikit-learn too."""


class RNNSkolModel(ModelParameters, TrainedModel, BaseEstimator):  # type: ignore[misc]  # noqa: D101  # inherited
    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        labels: Sequence[str] | LabelSet | None = None,
        other: str | None = None,
        unlabelled: str = "skip",
        validation: Any = None,
        checkpoint: str | Path | None = None,
        strict: bool = False,
        callback: EpochCallback | None = None,
        callbacks: Sequence[Any] | None = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train on annotated documents.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            A table with ``doc_id``, ``value`` and ``label``: of pandas, polars, Arrow or Hugging Face, a dict of columns
            or a list of records.  With ``y``: documents as lists of lines, or a list or Series of lines, which is one
            document.  Or files: ``Path`` objects, and texts that are names of existing files, folders or globs.
        y : list of str or list of list of str, optional
            A label for each line: in one list (or Series, array, column), or in a list for each document.  None and NaN
            mark lines without a label; whole numbers are named by their digits.
        labels : list of str or LabelSet, optional
            Labels to learn, in order; all that occur, sorted, if not given.  A label of a list must occur in the data;
            those of a LabelSet need not, as in the folds of a cross-validation.  Numbers in the column of labels, or in
            a column ``label_indexed`` without one, are positions in this list.
        other : str, optional
            Label of the lines whose own is not among ``labels``, and of lines without one.
        unlabelled : {"skip", "other", "ignore"}, default "skip"
            What happens, with ``other``, to lines without a label: they get the label ``other``, but documents without
            any label are left out; all of them get it; or none does, and they are not learnt.  "ignore" is for
            documents of which only some lines were read, as those that :func:`merge_review` writes.
        validation : as data, or tuple (data, y), optional
            Documents that select the best epoch and the offsets.  If not given: folds of ``data`` for the offsets (see
            ``folds``), or a tenth of ``data``, or with fewer than 20,000 lines none.
        checkpoint : path, optional
            File written after each epoch, and once a minute within one.  Where it exists, training continues from it and
            ends with the same weights as an uninterrupted run.
        strict : bool, default False
            Whether saved class weights whose counts differ from those of the data are an error.
        callback : callable, optional
            Called after each epoch with its number and the Evaluation of the validation set; an exception ends the
            training.  ``preset="instant"`` calls it once, with 1.
        callbacks : list, optional
            Callbacks of Keras, and functions such as ``callback``.  Keras calls ``set_model``, ``set_params`` and the hooks
            ``on_train_*``, ``on_epoch_*`` and ``on_train_batch_*``, once for each round of training, of which the rest of an
            interrupted epoch is one; the logs of an epoch
            hold ``loss`` and the scores of ``history_``, and ``val_loss``.  ``model.stop_training = True`` ends the training,
            further rounds included.  Not called: ``on_test_*`` and ``on_predict_*``, and any hook during the refit.
        sample_weight : list of list of float, or sequence of float, optional
            Weight of each line in the loss of network and linear model, in the form of ``y``.  Only ratios matter.  A line
            of weight 0 counts as a line without a label.  Class weights multiply; posteriors do not undo these weights.

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
        check_choice("unlabelled", unlabelled, UNLABELLED)
        check_parameters(self.get_params())
        called = Callbacks.of(callbacks, callback)
        check_instant_run(self.preset, checkpoint, called.of_keras)
        if self.preset != INSTANT:
            choose_backend()
        # An interrupted training must not leave the former network in place.
        self.__dict__.pop("_predictor", None)
        skipped_for = other if unlabelled == "skip" else None
        data = Input.of(data, line_no_col=self.line_no_col, unit=self.unit)
        if labels is None and y is not None and is_label_list(y, data, self.label_col):
            labels, y = list(y), None
        columns = self.label_col, self.line_no_col, self.unit
        table = labelled_table(data, y, *columns, skipped_for, names=labels)
        chosen = choose_labels(table["label"], labels, other, self.unit)
        settings = resolve(self.get_params(), is_bio(chosen))
        check_against_labels(settings, chosen)
        self.labels_, self.other_ = list(chosen), other
        table["label"] = fold_labels(table["label"], chosen, other, "the training data", unlabelled == "ignore")
        if sample_weight is not None:
            weigh(table, sample_weight, data, self.unit)
        log = TrainingLog(self.verbosity)
        if validation is None:
            fraction = self.validation_fraction
            if fraction is None and training_folds(LabelledRows.of(table, chosen), settings, self.get_params()):
                fraction = 0.0  # the folds give what a validation set would
            elif fraction is None and settings["decision"] == "tuned":
                fraction = DEFAULT_FRACTION  # offsets are tuned on a validation set, however few the lines
            split = drawn_split(table, chosen, fraction, self.unit, settings["random_state"], log)
        else:
            split = given_split(table, self._labelled(*data_and_labels(validation), "the validation data"), chosen)
        held_out = None if split.validation is None else split.validation.table
        documents = document_facts(split.training.table, held_out, "drawn" if validation is None else "given")
        shared = None if held_out is None else warn_of_shared_documents(held_out, documents)
        fitting: Fitting
        # The threshold of a purpose is found among the predictions of documents held out, after training.
        trained_for = {"decision": "auto"} if is_purpose(settings["decision"]) else {}
        if settings["preset"] == INSTANT:
            fitting = InstantFitting(settings | trained_for, chosen)
        else:
            settings, message = training_length(split.training.lengths, settings, self.get_params())
            if message:
                log.say(message)
            settings = prediction_windows(split.training.lengths, settings, self.get_params())
            folds = training_folds(split.training, settings, self.get_params())
            settings["folds"] = len(folds)
            by = settings | trained_for
            fitting = FoldedFitting(by, chosen, folds) if folds else Fitting(by, chosen)
        fitted = fitting.run(split, Path(checkpoint) if checkpoint else None, strict, called)
        self.validation_documents_ = _documents(split)
        self.class_weights_, self.weights_, self.counts_ = fitted.class_weights, fitted.weights, fitted.counts
        self.history_, self.findings_ = History(fitted.history), fitted.findings
        self._predictor, self.settings_ = fitted.predictor, settings
        self._network_spec = fitted.spec.to_dict() if fitted.spec else None
        self.card_ = self._card(documents, fitted)
        if shared and shared.names and fitted.evaluation:
            log.warn(
                f"{len(shared.names)} validation documents are trained on.{score_without(fitted.evaluation, shared)}"
            )
        return self

    def adapt(self, reviewed: Any, y: Any = None, *, training: Any, unlabelled: str = "skip") -> Self:
        """Return a model that a few reviewed lines of a new collection improve for it.

        The network is trained on for some seconds, in batches of windows around the reviewed lines and windows of the
        training documents, so that it does not forget these.  All else stays as it is: linear model, second pass,
        calibration and offsets, and what promises and estimates rest on, which were measured before.

        Parameters
        ----------
        reviewed : table, list of lines or documents, Corpus, or path(s)
            Documents of the collection, in any form that :meth:`fit` takes, such as those that :func:`merge_review` wrote.
            Lines without a label are read as neighbours and not learnt.
        y : list of str or list of list of str, optional
            Labels of the lines, where the data have none, with None for lines that nobody read.
        training : as data, or tuple (data, y)
            The documents that the model was trained on.  Those whose text is among ``reviewed`` are left out.
        unlabelled : {"skip", "other", "ignore"}, default "skip"
            What happens to lines of ``training`` without a label, as in :meth:`fit`.

        Returns
        -------
        RNNSkolModel
            A new model; this one does not change.

        Raises
        ------
        NotTrainedError
            If the model is not trained.
        DataError
            If no line is reviewed, a label is unknown and the model has no ``other``, or no training document is left.
        ValueError
            If the model is one of ``preset="instant"`` or of tokens.

        Examples
        --------
        >>> from skol_rnn import RNNSkolModel
        >>> page, labels = ["Fusella minor", "Pileus red", "Thanks"] * 9, ["Name", "Text", "Text"] * 9
        >>> old = [page, page[1:]], [labels, labels[1:]]
        >>> model = RNNSkolModel(preset="fast", epochs=1, min_updates=0, verbosity=0).fit(*old)
        >>> reviewed = ["Fusella maior", "Pileus blue", "Spores smooth"], ["Name", "Text", None]
        >>> adapted = model.adapt(*reviewed, training=old)
        >>> adapted.card_["adapted"]
        [{'lines': 2, 'documents': 1}]
        """
        self._require_trained()
        check_adaptable(self.settings_)
        columns = {"label_col": self.label_col, "line_no_col": self.line_no_col}
        known = LabelSet(tuple(self.labels_))
        return self._adapted_to(
            adaptation((reviewed, y), data_and_labels(training), known, self.other_, unlabelled, **columns)
        )

    def _adapted_to(self, rows: Adaptation) -> Self:
        """Return a model adapted to rows that have been checked."""
        assert self._network_spec  # check_adaptable
        settings = {**self.settings_, "verbosity": self.verbosity}
        found = type(self)()
        found.__dict__.update(self.__dict__)
        found._predictor = adapted(self._predictor, self._network_spec, rows, settings, self.weights_, self.counts_)
        found.card_ = adapted_facts(self.card_, rows.read_documents(), rows.lines) if self.card_ else {}
        return found

    def _card(self, documents: dict[str, Any], fitted: Fitted) -> dict[str, Any]:
        """Return the facts of a training for the model card."""
        decoder = fitted.predictor.decoder
        unused = ("verbosity", *(() if fitted.spec else OF_NETWORK))
        settings = {name: value for name, value in self.settings_.items() if name not in unused}
        if isinstance(settings["class_weights"], ClassWeights):
            settings["class_weights"] = fitted.class_weights.strategy
        return {
            **training_facts(with_network=fitted.spec is not None),
            **documents,
            "split": {**documents["split"], "refit": fitted.refit, "folds": self.settings_.get("folds") or 0},
            "counts": dict(zip(self.labels_, fitted.counts.tolist(), strict=True)),
            "weights": dict(zip(self.labels_, fitted.weights.tolist(), strict=True)),
            "settings": settings,
            "decision": "tuned"
            if self.settings_["decision"] == "auto" and decoder.tuned
            else self.settings_["decision"],
            "calibration": calibration_facts(decoder.calibration, self.labels_),
            "scores": score_facts(scores, bootstrap_intervals(scores)) if (scores := fitted.evaluation) else None,
        }

    def _set_saved(self, parameters: Mapping[str, Any], not_given: Sequence[str]) -> dict[str, Any]:
        """Set the parameters of a saved model, also in former names; return all of them as training used them."""
        settings = saved_parameters(parameters)
        self.set_params(**settings)
        self.set_params(**{name: None for name in not_given if name in settings})
        return settings

    def _require_trained(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise _NotFittedError("Model not trained. Call fit() first.")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        # No classifier to scikit-learn, which would then refuse y of documents of different lengths for cv=3.
        return tags

    def __getstate__(self) -> dict[str, Any]:
        if not self.__sklearn_is_fitted__():
            return dict(super().__getstate__())
        # joblib and Spark send models to workers: as the bundle's bytes, never as pickled Keras objects.
        return {**self.get_params(), "bundle": self.bundle().to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        blob = state.pop("bundle", None)
        super().__setstate__(state)
        if blob is not None:
            self.set_bundle(Bundle.from_bytes(blob))


def _documents(split: Split) -> list[str]:
    return [] if split.validation is None else list(dict.fromkeys(split.validation.table["doc_id"]))


def load_model(path: str | Path, verify: Key | None = None) -> RNNSkolModel:
    """Load a saved model.

    Parameters
    ----------
    path : path
        Folder or file that :meth:`RNNSkolModel.save` wrote.
    verify : str or bytes, optional
        The key that the model must be signed with.

    Returns
    -------
    RNNSkolModel
        The model, ready to predict.

    Raises
    ------
    BundleError
        If there is no model, or it is damaged, foreign, newer or not signed with the key.
    """
    return RNNSkolModel().load(path, verify)
