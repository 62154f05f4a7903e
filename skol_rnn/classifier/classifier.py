"""``SkolClassifierV2``: training, prediction and storage of models over files, texts and tables."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from skol_rnn.classifier import options as known
from skol_rnn.classifier import reading, training
from skol_rnn.classifier import spark as on_spark
from skol_rnn.classifier.labelling import document_texts, label_table, select_columns
from skol_rnn.errors import NotTrainedError
from skol_rnn.former import CLASSIFIER_NAMES, OPTIONS, FormerNames
from skol_rnn.inference.array_schema import check_model
from skol_rnn.inference.predictor import ServingModel, load_serving
from skol_rnn.persistence.bundle import Bundle, check_key
from skol_rnn.persistence.store import DiskStore, ModelStore, RedisStore, Version

if TYPE_CHECKING:
    from skol_rnn.model import RNNSkolModel


class SkolClassifierV2(FormerNames):
    r"""Train on annotated documents, label documents, and save labels and models, with Spark or pandas.

    Parameters
    ----------
    spark : SparkSession, optional
        Session that reads, labels and writes; pandas does so without one.
    input_source : {"files", "strings", "dataframe"}, default "files"
        Source of the documents, or a name in ``skol_rnn.classifier.SOURCES``; strings and tables go to the methods.
    file_paths : list of path-like, optional
        Files, folders and globs.
    output_dest : {"files", "strings"} or None, default "files"
        Destination of :meth:`save_annotated`, or a name in ``skol_rnn.classifier.DESTINATIONS``.
    output_path, model_path : path-like, optional
        Folders for the destination "files" and the storage "disk".
    model_storage, auto_load_model : {"disk", "redis"}, optional, and bool, default False
        Storage of the models, and whether the constructor loads the saved one.
    redis_client, redis_key, redis_expire : redis.Redis, str and int, optional
        Client with ``decode_responses=False``, key of the model, and seconds after which a saved model expires.
    extraction_mode : {"line", "paragraph", "section"}, default "paragraph"
        Unit that gets a label; "section" names the section of each paragraph.
    section_filter : list of str, optional
        Sections to keep, with "section".
    collapse_labels : bool, default True
        Whether all labels but Nomenclature and Description become "Misc-exposition", or "Misc" if weights name it.
    coalesce_labels : bool, default False
        Whether consecutive units with the same label share a block in the output.
    output_format : {"annotated", "labels", "probs"}, default "annotated"
        Columns that :meth:`predict` returns and :meth:`save_annotated` writes.
    weight_strategy : {"inverse", "balanced", "aggressive"}, optional
        Class weights from the label counts of the training part; ``class_weights`` has precedence.
    min_weight, max_weight : float, default 0.1 and 100
        Limits of these weights.
    verbosity, max_training_rows : int, default 1 and 5,000,000
        0 prints nothing; largest number of training units.
    model_key : str or bytes, optional
        Key that signs saved models; those that are not signed with it are not loaded.
    on_error : {"raise", "collect"}, default "raise"
        Whether a bad document raises an error, or is reported in a column ``errors``.
    **options
        Parameters of :class:`skol_rnn.RNNSkolModel`; ``couchdb_*`` and ``output_couchdb_*``, attributes for your
        reader and writer; former options, see docs/compatibility.md.

    Raises
    ------
    TypeError, ValueError
        If an option is unknown, has an unknown value, or contradicts another option.

    Examples
    --------
    >>> texts = ["[@Fusella minor#Nomenclature*]\n\n[@Pileus red#Description*]\n\n[@Thanks to all#Key*]"] * 4
    >>> classifier = SkolClassifierV2(input_source="strings", output_dest="strings", validation_fraction=0,
    ...                               epochs=1, min_updates=0, hidden_size=4, input_size=8, preset="fast", verbosity=0)
    >>> stats = classifier.fit(texts)["test_stats"]
    >>> labelled = classifier.predict(["Fusella minor\n\nPileus red"])
    >>> labelled["value"].tolist(), len(classifier.save_annotated(labelled))
    (['Fusella minor', 'Pileus red'], 1)
    """

    _former, _former_order, _by_position = CLASSIFIER_NAMES, tuple(OPTIONS), 1

    def __init__(
        self,
        spark: Any = None,
        *,
        input_source: str = "files",
        file_paths: Sequence[str | Path] | None = None,
        output_dest: str | None = "files",
        output_path: str | Path | None = None,
        model_storage: str | None = None,
        model_path: str | Path | None = None,
        redis_client: Any = None,
        redis_key: str | None = None,
        redis_expire: int | None = None,
        auto_load_model: bool = False,
        extraction_mode: str = "paragraph",
        section_filter: Sequence[str] | None = None,
        collapse_labels: bool = True,
        coalesce_labels: bool = False,
        output_format: str = "annotated",
        weight_strategy: str | None = None,
        min_weight: float = 0.1,
        max_weight: float = 100.0,
        verbosity: int = 1,
        on_error: str = "raise",
        max_training_rows: int = 5_000_000,
        model_key: str | bytes | None = None,
        **options: Any,
    ) -> None:
        self.spark, self.verbosity, self.on_error = spark, verbosity, on_error
        self.input_source, self.file_paths = input_source, file_paths
        self.output_dest, self.output_path = output_dest, output_path
        self.output_format, self.coalesce_labels, self.collapse_labels = output_format, coalesce_labels, collapse_labels
        self.model_storage, self.model_path, self.max_training_rows = model_storage, model_path, max_training_rows
        self.redis_client, self.redis_key, self.redis_expire = redis_client, redis_key, redis_expire
        self.extraction_mode, self.weight_strategy = extraction_mode, weight_strategy
        self.section_filter = None if section_filter is None else list(section_filter)
        self.min_weight, self.max_weight = min_weight, max_weight
        self.model_key = None if model_key is None else check_key(model_key)
        own = inspect.signature(SkolClassifierV2).parameters
        attributes, self.model_params = known.split_options(options, own, vars(self))
        vars(self).update(attributes)
        known.check_options(self)
        self._model_type_given = "model_type" in (options | (options.get("model_params") or {}))
        self._asked = known.asked_options(self, own)
        self._bundle: Bundle | None = None
        self._trained: RNNSkolModel | None = None
        self._serving: ServingModel | None = None
        self._label_frequencies: dict[str, int] | None = None
        if auto_load_model and model_storage is not None:
            self.load_model()

    def load_raw(self) -> Any:
        """Read the documents of ``input_source`` as units without labels.

        Returns
        -------
        DataFrame
            Of Spark or pandas, a row for each unit: ``doc_id``, ``line_number``, ``value`` and others.

        Raises
        ------
        DataError
            If there is no document, or a file is unusable.
        """
        return reading.read_units(self, labelled=False)

    def load_raw_from_df(self, df: Any) -> Any:
        """Segment documents that are rows of a table.

        Parameters
        ----------
        df : DataFrame
            Of Spark, pandas or another library, with ``doc_id`` and ``text``; a table without ``text`` holds units already.
            Units of Spark need ``line_number``, or what ``line_no_col`` names; the others are in order without it.

        Returns
        -------
        DataFrame
            Units, as :meth:`load_raw` returns them.

        Raises
        ------
        DataError
            If a column is missing.
        """
        return reading.table_units(self, df, labelled=False)

    def fit(self, annotated_data: Any = None) -> dict[str, Any]:
        """Train on four fifths of the documents and score the other fifth.

        Parameters
        ----------
        annotated_data : DataFrame or list of str, optional
            Units with ``label``, or annotated texts; the documents of ``input_source`` if not given.

        Returns
        -------
        dict
            Scores, sizes and class frequencies of the test part, both flat and under ``test_stats``.

        Raises
        ------
        DataError
            If there are fewer than two documents, no labels, or more rows than ``max_training_rows``.
        """
        if self.verbosity and not self._model_type_given:
            known.say_model_type()
        from skol_rnn.model import RNNSkolModel

        units = training.training_rows(reading.read_units(self, True, annotated_data), self.max_training_rows)
        train, test, labels = training.split_rows(units, self.collapse_labels, self.model_params)
        self._label_frequencies = training.label_counts(train["label"])
        parameters = self.model_params | {"verbosity": self.verbosity} | known.COLUMNS
        if self.weight_strategy is not None and parameters.get("class_weights") is None:
            limits = self.min_weight, self.max_weight
            parameters["class_weights"] = self.get_recommended_class_weights(self.weight_strategy, *limits)
        self._trained = model = RNNSkolModel(**parameters).fit(train, labels=labels)
        saved = {name: getattr(self, name) for name in known.SAVED} | {"label_frequencies": self._label_frequencies}
        bundle = model.bundle()
        self._bundle, self._serving = replace(bundle, state=bundle.state | {"classifier": saved}), None
        stats = training.test_statistics(model, test) | {"train_size": len(train), "test_size": len(test)}
        return {**stats, "test_stats": stats}

    def get_label_frequencies(self) -> dict[str, int] | None:
        """Return the label counts of the training part, the most frequent first; None before training."""
        return self._label_frequencies

    def get_recommended_class_weights(
        self, strategy: str = "inverse", min_weight: float = 0.1, max_weight: float = 100.0
    ) -> dict[str, float]:
        """Derive class weights from the label counts of the training part.

        Parameters
        ----------
        strategy : {"inverse", "balanced", "aggressive"}, default "inverse"
            With r = rows / (labels * count): clipped r, r, or clipped r squared.
        min_weight, max_weight : float
            Limits of the clipped weights.

        Returns
        -------
        dict of str to float
            Weight of each label.

        Raises
        ------
        NotTrainedError
            Before training.
        """
        if self._label_frequencies is None:
            raise NotTrainedError("There are no label frequencies before fit().")
        return training.recommended_weights(self._label_frequencies, strategy, min_weight, max_weight)

    def predict(self, raw_data: Any = None) -> Any:
        """Label units.

        Parameters
        ----------
        raw_data : DataFrame or list of str, optional
            Units, or texts; the documents of ``input_source`` if not given.

        Returns
        -------
        DataFrame
            Of Spark or pandas.  With "annotated", the units and ``pos``, ``probabilities``, ``prediction``,
            ``predicted_label`` and ``annotated_value``; with "labels" and "probs" fewer columns.

        Raises
        ------
        NotTrainedError
            Before :meth:`fit` or :meth:`load_model`.
        DataError
            If a document is unusable; the message names it.
        """
        bundle, decision = self._tuned_bundle(), self.model_params.get("decision")
        units = reading.read_units(self, False, raw_data)
        if isinstance(units, pd.DataFrame):
            # As on Spark: with weights of 8 bits, probabilities would depend on the rows of a partition.
            self._serving = self._serving or load_serving(bundle.to_bytes(), precision="float32")
            rows = label_table(self._serving, units, decision, self.on_error)
        else:
            together = raw_data is None and self.input_source == "files"
            rows = on_spark.label_units(units, bundle.to_bytes(), decision, self.on_error, together)
        return select_columns(rows, self.output_format)

    predict_proba = predict

    def save_annotated(self, predictions: Any) -> list[str] | None:
        """Write labelled documents to ``output_dest``.

        Parameters
        ----------
        predictions : DataFrame
            Result of :meth:`predict`.

        Returns
        -------
        list of str or None
            Text of each document for the destination "strings", otherwise None.

        Raises
        ------
        DataError
            If the output format cannot hold a document; its old file stays.
        ValueError
            If there is no destination.
        """
        dest = self.output_dest
        folder = self.output_path if dest == "files" else None
        if dest is None or (dest == "files" and folder is None):
            raise ValueError(f"output_dest={dest!r} saves nothing: use 'files' with output_path, or 'strings'.")
        write = known.DESTINATIONS.get(dest)
        if write is not None and not isinstance(predictions, pd.DataFrame):
            predictions = predictions.toPandas()
        function = document_texts if isinstance(predictions, pd.DataFrame) else on_spark.write_texts
        texts = function(predictions, folder, self.output_format, self.coalesce_labels)
        if write is not None:
            for name, text in texts.items():
                write(self, name, text)
        return list(texts.values()) if dest == "strings" else None

    @property
    def line_level(self) -> bool:
        """Whether the unit is the line; the former class's name."""
        return self.extraction_mode == "line"

    @property
    def store(self) -> ModelStore:
        """Store of the models, which lists versions and rolls back to one."""
        if self.model_storage == "disk":
            return DiskStore(self.model_path or "")
        if self.model_storage == "redis":
            return RedisStore(self.redis_client, self.redis_key or "", self.redis_expire)
        raise ValueError("There is no store: set model_storage to 'disk' or 'redis'.")

    def save_model(self) -> Version:
        """Save the model as a new version, which becomes the current one.

        Returns
        -------
        Version
            The new version.

        Raises
        ------
        NotTrainedError
            Before :meth:`fit` or :meth:`load_model`.
        StoreError
            If the store fails; the old version stays current.
        """
        if self._bundle is None:
            raise NotTrainedError("No model to save: call fit() first.")
        return self.store.save(self._bundle.to_bytes(self.model_key))

    def load_model(self, version: str | None = None) -> SkolClassifierV2:
        """Load a saved model and the options that it was trained with.

        Parameters
        ----------
        version : str, optional
            Id of a version; the current one if not given.

        Returns
        -------
        SkolClassifierV2
            Self.

        Raises
        ------
        ModelNotFoundError
            If there is no such model.
        DataError
            If an option is set to another value than the model was trained with.
        """
        bundle = Bundle.from_bytes(self.store.load(version), "the stored model", self.model_key)
        check_model(bundle)
        vars(self).update(known.saved_options(bundle.state, self._asked))
        self._label_frequencies = bundle.state.get("classifier", {}).get("label_frequencies")
        self._bundle, self._trained, self._serving = bundle, None, None
        return self

    def _tuned_bundle(self) -> Bundle:
        """Return the model with those parameters of the caller that may change after training."""
        if self._bundle is None:
            raise NotTrainedError("Model not trained. Call fit() or load_model() first.")
        state = self._bundle.state
        tuned = {name: self.model_params[name] for name in known.TUNABLE if self.model_params.get(name) is not None}
        return replace(self._bundle, state=state | {"parameters": state["parameters"] | tuned})

    def get_model_info(self) -> dict[str, Any]:
        """Return the ``name``, ``labels``, ``parameters`` and ``classifier`` options of the model."""
        state = self._tuned_bundle().state
        return {name: state[name] for name in ("name", "labels", "parameters", "classifier") if name in state}

    @property
    def model(self) -> RNNSkolModel | None:
        """The trained model, None before training."""
        if self._trained is None and self._bundle is not None:
            from skol_rnn.model import RNNSkolModel

            self._trained = RNNSkolModel().set_bundle(self._tuned_bundle())
        return self._trained
