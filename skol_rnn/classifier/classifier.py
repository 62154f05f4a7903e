"""``SkolClassifierV2``: the class that users of the old system know, over files, texts and tables, with Spark or without."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skol_rnn.classifier import spark as engine
from skol_rnn.classifier.labelling import ON_ERROR, document_keys, document_name, label_documents
from skol_rnn.classifier.options import (
    OUTPUT_FORMATS,
    SAVED,
    STORAGES,
    STRATEGIES,
    TUNABLE,
    WITHOUT_EFFECT,
    check_choice,
    merged,
    model_options,
    recommended_weights,
    warn_without_effect,
)
from skol_rnn.classifier.segmentation import ExtractionMode, document_text, unit_rows, write_text
from skol_rnn.data.document import Document
from skol_rnn.data.formats.yedda import parse_yedda
from skol_rnn.data.reading import read_documents
from skol_rnn.data.splits import split_documents
from skol_rnn.errors import DataError, NotTrainedError
from skol_rnn.labels import suggestion
from skol_rnn.persistence.bundle import Bundle
from skol_rnn.persistence.store import DiskStore, ModelStore, RedisStore, Version

if TYPE_CHECKING:
    from skol_rnn.model import RNNSkolModel

KEPT = ("Nomenclature", "Description")
"""Labels that ``collapse_labels`` keeps; all others become one."""
TEST_SHARE = 0.2
MAX_TRAINING_ROWS = 5_000_000

Source = Callable[["SkolClassifierV2", bool], Iterable[Document]]
Destination = Callable[["SkolClassifierV2", str, str], None]
SOURCES: dict[str, Source] = {}
"""Readers by ``input_source``: given the classifier and whether labels are needed, they return documents."""
DESTINATIONS: dict[str, Destination] = {}
"""Writers by ``output_dest``: given the classifier, a document's name and its text, they put it where it belongs."""


class SkolClassifierV2:
    r"""Train on, label and save annotated documents; the storage, the engine and the unit are options.

    Parameters
    ----------
    spark : SparkSession, optional
        Spreads reading, counting and labelling over a cluster; without it the same is done here, with pandas.
    input_source : {"files", "strings", "dataframe"}, default "files"
        Where documents come from, or a name in :data:`SOURCES`, where CouchDB is plugged in.
    file_paths : list of path-like, optional
        Files, folders and globs; for "strings" the texts may be given to the methods.
    couchdb_url, couchdb_database, couchdb_training_database, couchdb_username, couchdb_password : str, optional
        For a reader in :data:`SOURCES`; nothing here opens a connection.
    couchdb_pattern : str, default "*.txt"
        Likewise.
    couchdb_doc_ids : list of str, optional
        Likewise.
    output_dest : {"files", "strings"} or None, default "files"
        Where :meth:`save_annotated` puts documents, or a name in :data:`DESTINATIONS`.
    output_path : path-like, optional
        Folder for "files"; needed when documents are saved and not before.
    output_couchdb_suffix, output_couchdb_database, output_couchdb_url : str, optional
        For a writer in :data:`DESTINATIONS`.
    model_storage : {"disk", "redis"}, optional
        Where models are saved.
    model_path : path-like, optional
        Folder of the versions on disk.
    redis_client : redis.Redis, optional
        The caller's client, with its TLS and password; ``decode_responses`` must be False.
    redis_key : str, optional
        Key of the model.
    redis_expire : int, optional
        Seconds after which a saved model is gone.
    auto_load_model : bool, default False
        Whether the constructor loads the saved model.
    extraction_mode : {"line", "paragraph", "section"}, default "paragraph"
        What is labelled.
    section_filter : list of str, optional
        Sections whose paragraphs are taken, with "section".
    read_text, save_text, union_batch_size, incremental
        Of the old class's PDF and CouchDB readers; change nothing, which is said.
    collapse_labels : bool, default True
        Whether all labels but Nomenclature and Description become one: "Misc" if class weights or focal labels call
        it so, else "Misc-exposition".
    coalesce_labels : bool, default False
        Whether neighbouring units of one label share a block in the output.
    output_format : {"annotated", "labels", "probs"}, default "annotated"
        Columns that :meth:`predict` returns and what :meth:`save_annotated` writes.
    compute_label_frequencies : bool, default False
        Whether fit keeps the label frequencies; it does with ``weight_strategy``.
    use_suffixes, use_line_lengths, min_doc_freq, word_vocab_size, suffix_vocab_size, section_name_vocab_size
        Of the old class's features; change nothing, which is said.
    model_type : {"rnn"}, default "rnn"
        The old class had others.
    weight_strategy : {"inverse", "balanced", "aggressive"}, optional
        Class weights from the training part; explicit ``class_weights`` win.
    min_weight, max_weight : float
        Limits of these weights.
    verbosity : int, default 1
        0 is silent.
    on_error : {"raise", "collect"}, default "raise"
        Whether a bad document ends the job, or is told in a column ``errors``.
    max_training_rows : int, default 5,000,000
        Units that the driver takes for training.
    line_level : bool, optional
        Old name of ``extraction_mode="line"``.
    **model_params
        Parameters of :class:`skol_rnn.RNNSkolModel`.

    Raises
    ------
    TypeError
        If an option is unknown.
    ValueError
        If an option has no such value or contradicts another.

    Examples
    --------
    >>> texts = ["[@Fusella minor#Nomenclature*]\n\n[@Pileus red#Description*]\n\n[@Thanks to all#Key*]"] * 4
    >>> classifier = SkolClassifierV2(input_source="strings", output_dest="strings", validation_fraction=0,
    ...                               epochs=1, hidden_size=4, input_size=8, members=1, verbosity=0)
    >>> stats = classifier.fit(texts)["test_stats"]
    >>> labelled = classifier.predict(["Fusella minor\n\nPileus red"])
    >>> labelled["value"].tolist(), len(classifier.save_annotated(labelled))
    (['Fusella minor', 'Pileus red'], 1)
    """

    def __init__(
        self,
        spark: Any = None,
        *,
        input_source: str = "files",
        file_paths: Sequence[str | Path] | None = None,
        couchdb_url: str | None = None,
        couchdb_database: str | None = None,
        couchdb_training_database: str | None = None,
        couchdb_username: str | None = None,
        couchdb_password: str | None = None,
        couchdb_pattern: str = "*.txt",
        couchdb_doc_ids: Sequence[str] | None = None,
        output_dest: str | None = "files",
        output_path: str | Path | None = None,
        output_couchdb_suffix: str = ".ann",
        output_couchdb_database: str | None = None,
        output_couchdb_url: str | None = None,
        model_storage: str | None = None,
        model_path: str | Path | None = None,
        redis_client: Any = None,
        redis_key: str | None = None,
        redis_expire: int | None = None,
        auto_load_model: bool = False,
        extraction_mode: str = "paragraph",
        section_filter: Sequence[str] | None = None,
        read_text: bool = False,
        save_text: str | None = None,
        collapse_labels: bool = True,
        coalesce_labels: bool = False,
        output_format: str = "annotated",
        compute_label_frequencies: bool = False,
        use_suffixes: bool = True,
        use_line_lengths: bool = False,
        min_doc_freq: int = 2,
        word_vocab_size: int = 800,
        suffix_vocab_size: int = 200,
        section_name_vocab_size: int = 50,
        model_type: str = "rnn",
        weight_strategy: str | None = None,
        min_weight: float = 0.1,
        max_weight: float = 100.0,
        verbosity: int = 1,
        union_batch_size: int = 1000,
        incremental: bool = False,
        on_error: str = "raise",
        max_training_rows: int = MAX_TRAINING_ROWS,
        line_level: bool | None = None,
        **model_params: Any,
    ) -> None:
        options = {name: value for name, value in locals().items() if name not in ("self", "line_level", "__class__")}
        if line_level is not None:
            _warn_line_level()
            options["extraction_mode"] = "line" if line_level else extraction_mode
        self._options = options
        self.model_params = model_options(options.pop("model_params"), list(options))
        for name, value in options.items():
            setattr(self, name, value)
        self.extraction_mode = ExtractionMode(options["extraction_mode"])
        options["extraction_mode"] = str(self.extraction_mode)
        self._validate_config()
        warn_without_effect({name: options[name] for name in WITHOUT_EFFECT})
        self._bundle: Bundle | None = None
        self._trained: RNNSkolModel | None = None
        self._serving: Any = None
        self._label_frequencies: dict[str, int] | None = None
        if auto_load_model and model_storage is not None:
            self.load_model()

    def _validate_config(self) -> None:
        _check_plugin("input_source", self.input_source, ("files", "strings", "dataframe"), SOURCES)
        if self.output_dest is not None:
            _check_plugin("output_dest", self.output_dest, ("files", "strings"), DESTINATIONS)
        check_choice("output_format", self.output_format, OUTPUT_FORMATS)
        check_choice("on_error", self.on_error, ON_ERROR)
        check_choice("model_type", self.model_type, ("rnn",))
        if self.model_storage is not None:
            check_choice("model_storage", self.model_storage, STORAGES)
        if self.model_storage == "disk" and self.model_path is None:
            raise ValueError('model_storage="disk" needs model_path.')
        if self.model_storage == "redis" and (self.redis_client is None or not self.redis_key):
            raise ValueError('model_storage="redis" needs redis_client and redis_key.')
        if self.weight_strategy is not None:
            check_choice("weight_strategy", self.weight_strategy, STRATEGIES)
            if self.model_params.get("focal_labels") is not None:
                raise ValueError("weight_strategy and focal_labels are mutually exclusive: leave one out.")
        if self.section_filter is not None and self.extraction_mode != "section":
            raise ValueError('section_filter does nothing without extraction_mode="section".')
        from skol_rnn.model import RNNSkolModel

        RNNSkolModel(**self.model_params)  # refuses what excludes each other

    # -- input --------------------------------------------------------------------------------------

    def load_raw(self) -> Any:
        """Read the documents of ``input_source`` as units, without their labels.

        Returns
        -------
        DataFrame
            Of Spark or pandas, see :func:`skol_rnn.classifier.segmentation.unit_rows`.

        Raises
        ------
        DataError
            If there is nothing to read, or it cannot be used.
        """
        return self._load(labelled=False)

    def load_raw_from_df(self, df: Any) -> Any:
        """Cut documents that are a table's rows, one each in ``text``, into units; other tables are units already.

        Parameters
        ----------
        df : DataFrame
            Of Spark or pandas: ``doc_id`` and ``text``, or ``doc_id``, ``value`` and ``line_number``.

        Returns
        -------
        DataFrame
            Units.
        """
        if "text" not in df.columns:
            return df
        if isinstance(df, pd.DataFrame):
            return self._units((Document(str(n), t) for n, t in zip(df["doc_id"], df["text"], strict=True)), False)
        rows = df.select("doc_id", "text")
        return rows.mapInPandas(_Cutter(str(self.extraction_mode), self.section_filter), self._schema())

    def _schema(self) -> str:
        return engine.UNITS + (
            ", section_name string, paragraph_number bigint" if self.extraction_mode == "section" else ""
        )

    def _load_annotated_data(self) -> Any:
        return self._load(labelled=True)

    def _load(self, labelled: bool) -> Any:
        if self.input_source in SOURCES:
            return self._on_engine(self._units(SOURCES[self.input_source](self, labelled), labelled))
        if self.input_source != "files":
            raise DataError(f'With input_source="{self.input_source}" give the documents to the method.')
        if not self.file_paths:
            raise ValueError('input_source="files" needs file_paths.')
        if self.spark is not None:
            return engine.read_units(
                self.spark, self.file_paths, self.extraction_mode, self.section_filter, labelled, self.on_error
            )
        return self._units(read_documents(self.file_paths), labelled)

    def _given(self, data: Any, labelled: bool) -> Any:
        """Return units of what a method was given."""
        if isinstance(data, str):
            data = [data]
        if not isinstance(data, (list, tuple)):
            return self.load_raw_from_df(data)
        documents = []
        for number, text in enumerate(data):
            name = f"{number:06d}"
            if labelled:
                plain, labels, repairs = parse_yedda(text, name)
                documents.append(Document(name, plain, labels, repairs))
            else:
                documents.append(Document(name, text))
        return self._on_engine(self._units(documents, labelled))

    def _units(self, documents: Iterable[Document], labelled: bool) -> pd.DataFrame:
        parts = []
        for document in documents:
            plain = document if labelled else Document(document.doc_id, document.text, path=document.path)
            parts.append(unit_rows(plain, self.extraction_mode, self.section_filter))
        if not parts:
            raise DataError("There is no document.")
        return pd.concat(parts, ignore_index=True)

    def _on_engine(self, rows: pd.DataFrame) -> Any:
        if self.spark is None:
            return rows
        schema = self._schema() + (", label string" if "label" in rows else "")
        names = [column.split()[0] for column in schema.split(", ")]
        return self.spark.createDataFrame(rows.reindex(columns=names), schema)

    # -- training -----------------------------------------------------------------------------------

    def fit(self, annotated_data: Any = None) -> dict[str, Any]:
        """Train on four fifths of the documents and score on the others.

        Parameters
        ----------
        annotated_data : DataFrame or list of str, optional
            Units with ``label``, or annotated texts; those of ``input_source`` if not given.

        Returns
        -------
        dict
            The scores, flat and again under ``test_stats``, with ``train_size``, ``test_size`` and
            ``class_frequencies`` of the test part.

        Raises
        ------
        DataError
            If there are fewer than two documents, no labels, or more rows than the driver takes.
        """
        from skol_rnn.model import RNNSkolModel

        rows = self._load_annotated_data() if annotated_data is None else self._given(annotated_data, labelled=True)
        rows = self._training_rows(rows)
        train_ids, test_ids = split_documents(rows, TEST_SHARE, self.model_params.get("random_state", 0))
        if not test_ids:
            raise DataError("There is one document only: give two or more, so that the scores are of other documents.")
        train, test = rows[rows["doc_id"].isin(train_ids)], rows[rows["doc_id"].isin(test_ids)]
        self._label_frequencies = _counts(train["label"])
        parameters = dict(self.model_params)
        if self.weight_strategy is not None and parameters.get("class_weights") is None:
            parameters["class_weights"] = self.get_recommended_class_weights(
                self.weight_strategy, self.min_weight, self.max_weight
            )
        model = RNNSkolModel(**parameters, verbosity=self.verbosity)
        present = set(rows["label"].dropna())
        labels = [label for label in (*KEPT, self._rest()) if label in present] if self.collapse_labels else None
        model.fit(train, labels=labels)
        bundle = model.bundle()
        self._become(replace(bundle, state=bundle.state | {"classifier": self._saved_options()}), model)
        return self._results(model, train, test)

    def _training_rows(self, rows: Any) -> pd.DataFrame:
        """Return the labelled units in pandas, documents in the order of their names wherever they come from."""
        if not isinstance(rows, pd.DataFrame):
            rows = engine.collect_rows(rows, self.max_training_rows)
        elif len(rows) > self.max_training_rows:
            raise DataError(f"There are {len(rows):,} training rows, but max_training_rows={self.max_training_rows:,}.")
        if "errors" in rows and rows["errors"].notna().any():
            raise DataError(str(rows["errors"].dropna().iloc[0]))
        if "label" not in rows:
            raise DataError("The training rows have no column 'label'.")
        if "is_page_marker" in rows:
            rows = rows[~rows["is_page_marker"].fillna(False).astype(bool)]
        keys = document_keys(rows.columns)
        rows = rows.assign(doc_id=_document_names(rows, keys))
        rows = rows.drop(columns=["attachment_name"], errors="ignore")
        order = ["doc_id", "line_number"] if "line_number" in rows else ["doc_id"]
        rows = rows.sort_values(order, kind="stable").reset_index(drop=True)
        if self.collapse_labels:
            rest = self._rest()
            rows["label"] = [label if label in KEPT else rest for label in rows["label"]]
        return rows

    def _rest(self) -> str:
        """Name the label of all others as the caller's weights do."""
        named = {*_names(self.model_params.get("class_weights")), *(self.model_params.get("focal_labels") or ())}
        return "Misc" if "Misc" in named else "Misc-exposition"

    def _results(self, model: RNNSkolModel, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
        stats = model.calculate_stats(model.predict(test))
        counts = _counts(test["label"])
        stats |= {
            "train_size": len(train),
            "test_size": len(test),
            "class_frequencies": [
                {"label_indexed": float(i), "count": counts.get(label, 0)} for i, label in enumerate(model.labels_)
            ],
        }
        return {**stats, "test_stats": stats}

    def get_label_frequencies(self) -> dict[str, int] | None:
        """Return the training part's rows by label, the most frequent first; None before fit."""
        return self._label_frequencies

    def get_recommended_class_weights(
        self, strategy: str = "inverse", min_weight: float = 0.1, max_weight: float = 100.0
    ) -> dict[str, float]:
        """Weigh the labels by their frequencies in the training part.

        Parameters
        ----------
        strategy, min_weight, max_weight
            As for :func:`skol_rnn.classifier.options.recommended_weights`.

        Returns
        -------
        dict of str to float
            Weight by label.

        Raises
        ------
        NotTrainedError
            Before fit.
        """
        if self._label_frequencies is None:
            raise NotTrainedError("There are no label frequencies before fit().")
        return recommended_weights(self._label_frequencies, strategy, min_weight, max_weight)

    # -- prediction ---------------------------------------------------------------------------------

    def predict(self, raw_data: Any = None) -> Any:
        """Label units.

        Parameters
        ----------
        raw_data : DataFrame or list of str, optional
            Units, or texts; the documents of ``input_source`` if not given.

        Returns
        -------
        DataFrame
            Of Spark or pandas.  "annotated": the rows with ``pos``, ``probabilities``, ``prediction``,
            ``predicted_label`` and ``annotated_value``; "labels" and "probs" fewer columns.

        Raises
        ------
        NotTrainedError
            Before fit or load_model.
        DataError
            If a document cannot be used; the message names it.
        """
        blob = self._tuned().to_bytes()
        units = self.load_raw() if raw_data is None else self._given(raw_data, labelled=False)
        if isinstance(units, pd.DataFrame):
            rows = self._predict_here(units)
        else:
            ours = raw_data is None and self.input_source == "files"
            rows = engine.label_units(units, blob, self.model_params.get("decision"), self.on_error, together=ours)
        return self._formatted(rows)

    def predict_proba(self, raw_data: Any = None) -> Any:
        """Return what :meth:`predict` does; its column ``probabilities`` holds them."""
        return self.predict(raw_data)

    def _predict_here(self, units: pd.DataFrame) -> pd.DataFrame:
        from skol_rnn.inference.predictor import ServingModel

        if self._serving is None:
            self._serving = ServingModel(self._tuned())
        keys = document_keys(units.columns)
        places = units.assign(_place=range(len(units)))
        documents = (part for _, part in places.groupby(keys, sort=False, dropna=False))
        found = label_documents(self._serving, documents, keys, self.model_params.get("decision"), self.on_error)
        rows = pd.concat(list(found), ignore_index=True)
        return rows.sort_values("_place", kind="stable").drop(columns="_place").reset_index(drop=True)

    def _formatted(self, rows: Any) -> Any:
        if self.output_format == "annotated":
            return rows
        names = ["doc_id", "filename", "attachment_name", "line_number", "predicted_label", "errors"]
        if self.output_format == "probs":
            names[-1:-1] = ["probability", "probabilities"]
            if isinstance(rows, pd.DataFrame):
                rows = rows.assign(probability=rows["probabilities"])
            else:
                rows = rows.withColumn("probability", rows["probabilities"])
        kept = [name for name in names if name in rows.columns]
        return rows[kept] if isinstance(rows, pd.DataFrame) else rows.select(*kept)

    def _tuned(self) -> Bundle:
        """Return the model with the parameters that may be set anew."""
        if self._bundle is None:
            raise NotTrainedError("Model not trained. Call fit() or load_model() first.")
        anew = {name: self.model_params[name] for name in TUNABLE if self.model_params.get(name) is not None}
        state = self._bundle.state
        return replace(self._bundle, state=state | {"parameters": state["parameters"] | anew})

    # -- output -------------------------------------------------------------------------------------

    def save_annotated(self, predictions: Any) -> list[str] | None:
        """Put labelled documents where ``output_dest`` says.

        Parameters
        ----------
        predictions : DataFrame
            What :meth:`predict` returned.

        Returns
        -------
        list of str or None
            The documents' texts with "strings", else None.

        Raises
        ------
        DataError
            If a document cannot be written in the format; its file is as it was before.
        ValueError
            If there is no destination.
        """
        if self.output_dest is None:
            raise ValueError("output_dest=None saves nothing: give 'files' or 'strings'.")
        folder = None
        if self.output_dest == "files":
            if self.output_path is None:
                raise ValueError('output_dest="files" needs output_path.')
            folder = self.output_path
        if isinstance(predictions, pd.DataFrame):
            texts = self._texts_here(predictions, folder)
        elif self.output_dest in DESTINATIONS:
            texts = self._texts_here(predictions.toPandas(), None)
        else:
            found = engine.write_texts(predictions, folder, self.output_format, self.coalesce_labels)
            return found if folder is None else None
        if self.output_dest in DESTINATIONS:
            for name, text in texts.items():
                DESTINATIONS[self.output_dest](self, name, text)
        return list(texts.values()) if self.output_dest == "strings" else None

    def _format_as_strings(self, predictions: Any) -> list[str]:
        if isinstance(predictions, pd.DataFrame):
            return list(self._texts_here(predictions, None).values())
        return engine.write_texts(predictions, None, self.output_format, self.coalesce_labels)

    def _texts_here(self, rows: pd.DataFrame, folder: str | Path | None) -> dict[str, str]:
        """Return each document's text by name; all are made ready before the first is written."""
        keys = document_keys(rows.columns)
        parts = {document_name(part, keys): part for _, part in rows.groupby(keys, sort=False, dropna=False)}
        texts = {name: document_text(parts[name], self.output_format, self.coalesce_labels) for name in sorted(parts)}
        if folder is not None:
            for name, text in texts.items():
                write_text(parts[name], name, text, str(folder), self.output_format)
        return texts

    # -- the saved model ----------------------------------------------------------------------------

    @property
    def store(self) -> ModelStore:
        """Where models are saved; see :mod:`skol_rnn.persistence.store` for listing and rollback."""
        if self.model_storage == "disk":
            assert self.model_path is not None
            return DiskStore(self.model_path)
        if self.model_storage == "redis":
            assert self.redis_key is not None
            return RedisStore(self.redis_client, self.redis_key, self.redis_expire)
        raise ValueError("There is no store: give model_storage='disk' or 'redis'.")

    def save_model(self) -> Version:
        """Save the model as a new version, the current one from then on.

        Returns
        -------
        Version
            The version.

        Raises
        ------
        NotTrainedError
            Before fit or load_model.
        StoreError
            If it cannot be saved; the old model is current then.
        """
        if self._bundle is None:
            raise NotTrainedError("No model to save: call fit() first.")
        return self.store.save(self._bundle.to_bytes())

    def load_model(self, version: str | None = None) -> SkolClassifierV2:
        """Become the saved model: labels, weights, and the options it was trained with.

        Parameters
        ----------
        version : str, optional
            Its id; the current one if not given.

        Returns
        -------
        SkolClassifierV2
            Self.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        DataError
            If an option was set to something else than the model was trained with.
        """
        bundle = Bundle.from_bytes(self.store.load(version), "the stored model")
        self._become(bundle, None)
        return self

    def _become(self, bundle: Bundle, model: RNNSkolModel | None) -> None:
        saved = bundle.state.get("classifier", {})
        frequencies = saved.get("label_frequencies")
        defaults = {
            name: parameter.default for name, parameter in inspect.signature(SkolClassifierV2).parameters.items()
        }
        asked = {name: self._options[name] for name in SAVED}
        options = merged(asked, defaults, {name: saved[name] for name in SAVED if name in saved}, "The saved model")
        if model is None:
            trained = bundle.state["parameters"]
            fixed = {name: value for name, value in self.model_params.items() if name not in (*TUNABLE, "decision")}
            merged(fixed, {}, {name: trained[name] for name in fixed if name in trained}, "The saved model")
            self._label_frequencies = frequencies
        for name, value in options.items():
            setattr(self, name, ExtractionMode(value) if name == "extraction_mode" else value)
        self._bundle, self._trained, self._serving = bundle, model, None

    def _saved_options(self) -> dict[str, Any]:
        options = {name: getattr(self, name) for name in SAVED} | {"extraction_mode": str(self.extraction_mode)}
        options["section_filter"] = list(self.section_filter) if self.section_filter is not None else None
        return options | {"label_frequencies": self._label_frequencies}

    def get_model_info(self) -> dict[str, Any]:
        """Return the model's labels, parameters and the options it was trained with."""
        state = self._tuned().state
        return {name: state[name] for name in ("name", "labels", "parameters", "classifier") if name in state}

    @property
    def model(self) -> RNNSkolModel | None:
        """The trained model, for ``calculate_stats`` and the rest of :class:`skol_rnn.RNNSkolModel`."""
        if self._trained is None and self._bundle is not None:
            from skol_rnn.model import RNNSkolModel

            self._trained = RNNSkolModel().set_bundle(self._tuned())
        return self._trained

    _model = model

    @property
    def _label_mapping(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self._tuned().state["labels"])}

    @property
    def _reverse_label_mapping(self) -> dict[int, str]:
        return {i: label for label, i in self._label_mapping.items()}

    @property
    def line_level(self) -> bool:
        """Whether every line is a unit."""
        return self.extraction_mode == "line"

    def __getattr__(self, name: str) -> Any:
        hint = suggestion(name, [*inspect.signature(SkolClassifierV2).parameters, *vars(SkolClassifierV2)])
        raise AttributeError(f"SkolClassifierV2 has no attribute {name!r}.{hint}")


class _Cutter:
    """Cuts texts into units in a worker."""

    def __init__(self, mode: str, sections: Sequence[str] | None) -> None:
        self.mode, self.sections = mode, sections

    def __call__(self, batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            for name, text in zip(batch["doc_id"], batch["text"], strict=True):
                yield unit_rows(Document(str(name), text), self.mode, self.sections)


def _check_plugin(name: str, value: str, own: Sequence[str], plugged: Mapping[str, Any]) -> None:
    if value == "couchdb" and value not in plugged:
        table = "SOURCES" if name == "input_source" else "DESTINATIONS"
        raise ValueError(
            f'{name}="couchdb" needs a function of yours in skol_rnn.classifier.classifier.{table}["couchdb"]; docs/scale.md shows one.'
        )
    check_choice(name, value, [*own, *plugged])


def _warn_line_level() -> None:
    import warnings

    warnings.warn('line_level is now extraction_mode="line".', FutureWarning, stacklevel=3)


def _counts(labels: pd.Series) -> dict[str, int]:
    counts = {str(label): int(number) for label, number in labels.value_counts().items()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _names(weights: Any) -> list[str]:
    return list(weights) if isinstance(weights, Mapping) else []


def _document_names(rows: pd.DataFrame, keys: Sequence[str]) -> np.ndarray:
    """Return the name of each row's document."""
    names = np.empty(len(rows), dtype=object)
    for places in rows.groupby(list(keys), sort=False, dropna=False).indices.values():
        names[places] = document_name(rows.iloc[places[:1]], keys)
    return names
