"""The names of the former classifier, ``skol_classifier``: what each does now, for errors and docs/compatibility.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn


class Former(NamedTuple):
    """What a former name does now, and what to write or to know."""

    now: str
    advice: str


SAME, CHANGED, IGNORED, REFUSED = "accepted", "accepted, changed", "no effect", "refused"
_ATTRIBUTE = Former(CHANGED, "an attribute for your reader or writer in skol_rnn.classifier.SOURCES and DESTINATIONS")
_FEATURES = Former(IGNORED, "features= and input_size= set the features of the network")
_OTHER_MODEL = Former(
    REFUSED, "it belongs to the logistic and tree models, and skol_rnn trains a network: leave it out"
)
_HYBRID = Former(REFUSED, "skol_rnn has no hybrid model: write the entries for the network as options of their own")
_TREES = Former(REFUSED, "skol_rnn trains a network only: use SkolClassifierV2, or scikit-learn for other models")
_SECTIONS = Former(IGNORED, "your own reader in skol_rnn.classifier.SOURCES returns the texts")

OPTIONS: Mapping[str, Former] = {
    "spark": Former(SAME, "without a session pandas does the work; none is started"),
    "input_source": Former(CHANGED, '"couchdb" needs your own reader in skol_rnn.classifier.SOURCES'),
    "file_paths": Former(SAME, "files, folders and globs"),
    "couchdb_url": _ATTRIBUTE,
    "couchdb_database": _ATTRIBUTE,
    "couchdb_training_database": _ATTRIBUTE,
    "couchdb_username": _ATTRIBUTE,
    "couchdb_password": _ATTRIBUTE,
    "couchdb_pattern": _ATTRIBUTE,
    "couchdb_doc_ids": _ATTRIBUTE,
    "output_dest": Former(CHANGED, '"couchdb" needs your own writer in skol_rnn.classifier.DESTINATIONS'),
    "output_path": Former(SAME, "save_annotated needs it, the constructor does not"),
    "output_couchdb_suffix": _ATTRIBUTE,
    "output_couchdb_database": _ATTRIBUTE,
    "output_couchdb_url": _ATTRIBUTE,
    "model_storage": Former(SAME, '"disk" or "redis"; models that the former class saved are not read: train again'),
    "model_path": Former(CHANGED, "a folder of versions, used as it is written"),
    "redis_client": Former(SAME, "with decode_responses=False"),
    "redis_key": Former(SAME, "the key of the current version"),
    "redis_expire": Former(SAME, "seconds"),
    "auto_load_model": Former(SAME, "a missing model is an error"),
    "extraction_mode": Former(CHANGED, "line numbers count from 0 through the document"),
    "section_filter": Former(SAME, 'with extraction_mode="section", which reads text files too'),
    "read_text": _SECTIONS,
    "save_text": _SECTIONS,
    "collapse_labels": Former(CHANGED, 'the third label is "Misc" where class weights or focal labels name it so'),
    "coalesce_labels": Former(SAME, "consecutive units with the same label share a block"),
    "output_format": Former(SAME, '"labels" and "probs" keep line_number'),
    "compute_label_frequencies": Former(SAME, "label frequencies are always counted"),
    "use_suffixes": _FEATURES,
    "use_line_lengths": _FEATURES,
    "min_doc_freq": _FEATURES,
    "word_vocab_size": _FEATURES,
    "suffix_vocab_size": _FEATURES,
    "section_name_vocab_size": _FEATURES,
    "model_type": Former(CHANGED, 'only "rnn"; left out it meant "logistic" and means "rnn" now'),
    "weight_strategy": Former(CHANGED, "class_weights has precedence; the rarer a label, the larger its weight"),
    "min_weight": Former(CHANGED, "limits the weights, which are no longer stretched to it"),
    "max_weight": Former(CHANGED, "limits the weights, which are no longer stretched to it"),
    "verbosity": Former(SAME, "0 prints nothing"),
    "union_batch_size": _SECTIONS,
    "incremental": Former(IGNORED, "save_annotated writes document by document"),
    "tokenizer": Former(CHANGED, "renamed tokenizer to extraction_mode"),
    "line_level": Former(CHANGED, 'renamed line_level=True to extraction_mode="line"'),
    "model_params": Former(CHANGED, "its entries are options of their own; two values for one option are an error"),
    "labels": Former(REFUSED, "collapse_labels=False keeps all labels, and RNNSkolModel.fit(data, labels=[...]) chooses"),
    "db_name": Former(REFUSED, "write couchdb_database"),
    "database": Former(REFUSED, "write couchdb_database"),
    "username": Former(REFUSED, "write couchdb_username"),
    "password": Former(REFUSED, "write couchdb_password"),
    "nomenclature_threshold": _HYBRID,
    "logistic_params": _HYBRID,
    "rnn_params": _HYBRID,
    **dict.fromkeys(("maxIter", "max_iter", "regParam", "reg_param", "n_estimators", "max_depth"), _OTHER_MODEL),
    "seed": Former(REFUSED, "write random_state"),
}  # fmt: skip
"""Options of ``SkolClassifierV2``, in the former order of its arguments, and those of its models after them."""

MODEL_OPTIONS: Mapping[str, Former] = {
    "input_size": Former(CHANGED, "length of a line's vector, 64 by default; the text is in column value"),
    "hidden_size": Former(CHANGED, "the default is 96, not 128"),
    "num_layers": Former(SAME, "2 by default"),
    "num_classes": Former(IGNORED, "labels are counted in the data"),
    "dropout": Former(CHANGED, "between the layers; the default for hashed lines is 0"),
    "window_size": Former(CHANGED, "the default is 15, not 50"),
    "prediction_stride": Former(CHANGED, "in windows of window_size lines, unless prediction_window_size is given"),
    "prediction_batch_size": Former(CHANGED, "the default is 256, not 64"),
    "batch_size": Former(CHANGED, "the default is 64, not 32"),
    "epochs": Former(CHANGED, "the largest number: training stops when the validation set no longer improves"),
    "num_workers": Former(IGNORED, "batches are gathered by one thread"),
    "features_col": Former(CHANGED, 'read with features="vectors" only; other features are made of column value'),
    "label_col": Former(CHANGED, "the default is label; without it label_indexed is read with fit(labels=[...])"),
    "line_no_col": Former(CHANGED, "it orders the lines; it was ignored"),
    "verbosity": Former(CHANGED, "the default is 1, not 3"),
    "name": Former(SAME, "the name in logs and files"),
    "class_weights": Former(CHANGED, "an unknown label is an error"),
    "focal_labels": Former(SAME, "not together with class_weights"),
    "use_gpu_in_udf": Former(IGNORED, "TensorFlow chooses the device"),
    "labels": Former(REFUSED, "pass the labels to fit: fit(data, labels=[...])"),
    "model_type": Former(REFUSED, "this class is the network: leave it out"),
    "seed": Former(REFUSED, "write random_state"),
}
"""Options of ``RNNSkolModel``, in the former order of its arguments."""

CLASSIFIER_NAMES: Mapping[str, Former] = {
    "load_raw": Former(SAME, "returns a DataFrame of Spark or pandas"),
    "load_raw_from_df": Former(SAME, "rows with doc_id and text, or units"),
    "fit": Former(CHANGED, 'scores documents that were not trained on; returns the scores flat and as "test_stats"'),
    "predict": Former(CHANGED, "a document that cannot be labelled is an error, never a class"),
    "predict_proba": Former(SAME, "does what predict does"),
    "save_annotated": Former(SAME, "the text comes back character by character"),
    "save_model": Former(CHANGED, "writes a new version; fit does not save"),
    "load_model": Former(CHANGED, "restores the options too; a contradiction is an error"),
    "get_label_frequencies": Former(CHANGED, "counts the training part"),
    "get_recommended_class_weights": Former(CHANGED, "as weight_strategy"),
    "get_model_info": Former(SAME, "name, labels, parameters and options"),
    "line_level": Former(SAME, 'whether extraction_mode is "line"'),
    "model": Former(SAME, "the trained RNNSkolModel"),
    "model_params": Former(SAME, "the options of the model that were given"),
    "fit_and_save_model": Former(REFUSED, "call fit(), then save_model()"),
    "calculate_stats": Former(REFUSED, "write classifier.model.calculate_stats(predictions)"),
    "labels": Former(REFUSED, "write classifier.model.labels"),
    "_model": Former(REFUSED, "write classifier.model"),
    "_feature_extractor": Former(REFUSED, "the features are part of classifier.model"),
    "_feature_pipeline": Former(REFUSED, "the features are part of classifier.model"),
    "_label_mapping": Former(REFUSED, "write {label: i for i, label in enumerate(classifier.model.labels)}"),
    "_reverse_label_mapping": Former(REFUSED, "write dict(enumerate(classifier.model.labels))"),
    "_load_annotated_data": Former(
        REFUSED, "write read_documents(paths).table, or call fit(), which reads the documents"
    ),
    "_format_as_strings": Former(REFUSED, 'write output_dest="strings" and call save_annotated(predictions)'),
}
"""Methods and attributes of ``SkolClassifierV2``."""

MODEL_NAMES: Mapping[str, Former] = {
    "fit": Former(CHANGED, "takes a table, documents or paths as data=, not train_data="),
    "predict": Former(CHANGED, "also adds predicted_label"),
    "predict_with_labels": Former(SAME, "does what predict does"),
    "predict_proba": Former(CHANGED, "returns an array; posteriors that undo the class weights"),
    "calculate_stats": Former(SAME, "scores a table of pandas that predict returned"),
    "save": Former(CHANGED, "saves labels, options and features too"),
    "load": Former(CHANGED, "reads what save wrote; a .h5 file of the former class is not read"),
    "get_model": Former(SAME, "the Keras network; its output are logits"),
    "keras_model": Former(CHANGED, "the Keras network once it is trained; read only"),
    "classifier_model": Former(CHANGED, "the Keras network once it is trained; read only"),
    "model_weights": Former(CHANGED, "arrays of the network once it is trained; read only"),
    "labels": Former(CHANGED, "read only: pass the labels to fit"),
    "set_model": Former(REFUSED, "a network without its labels and features is no model: write load_model(path)"),
    "set_labels": Former(REFUSED, "pass the labels to fit: fit(data, labels=[...])"),
    "build_classifier": Former(REFUSED, "fit builds the network; build_bilstm_model(...) returns one without the rest"),
    "num_classes": Former(REFUSED, "write len(model.labels_)"),
    "model_params": Former(REFUSED, "write model.get_params()"),
    "num_workers": Former(REFUSED, "batches are gathered by one thread"),
    "use_gpu_in_udf": Former(REFUSED, "TensorFlow chooses the device"),
}
"""Methods and attributes of ``RNNSkolModel``."""

MODULE_NAMES: Mapping[str, Former] = {
    "SkolClassifierV2": Former(SAME, "from skol_rnn import SkolClassifierV2"),
    "RNNSkolModel": Former(SAME, "from skol_rnn import RNNSkolModel"),
    "build_bilstm_model": Former(SAME, "from skol_rnn import build_bilstm_model"),
    "oversample_documents_with_rare_labels": Former(CHANGED, "rare_label is the name of a label"),
    "stratified_document_sample": Former(CHANGED, "rare_label is the name of a label"),
    "apply_sequence_rules": Former(CHANGED, "finds the labels by their names"),
    "create_model": Former(REFUSED, "write RNNSkolModel(...) and pass the labels to fit(data, labels=[...])"),
    "SkolClassifier": Former(REFUSED, "use SkolClassifierV2"),
    "SkolModel": Former(REFUSED, "use RNNSkolModel"),
    "LogisticRegressionSkolModel": _TREES,
    "RandomForestSkolModel": _TREES,
    "GradientBoostedSkolModel": _TREES,
    "HybridSkolModel": _TREES,
    "SequencePreprocessor": Former(REFUSED, "RNNSkolModel orders and cuts the documents itself: pass the rows to fit"),
    "FeatureExtractor": Former(REFUSED, "RNNSkolModel makes its features itself: pass the text in column value"),
    "AnnotatedTextParser": Former(REFUSED, "write read_documents(paths)"),
    "get_file_list": Former(REFUSED, "pass folders and globs as paths: read_documents(paths) or file_paths=[...]"),
    "calculate_stats": Former(REFUSED, "write evaluate_labels(true, predicted) or model.calculate_stats(predictions)"),
    "create_evaluators": Former(REFUSED, "write evaluate_labels(true, predicted)"),
    "CouchDBConnection": Former(REFUSED, "plug your own functions into skol_rnn.classifier.SOURCES and DESTINATIONS"),
    "FileOutputWriter": Former(REFUSED, "write write_documents(documents, folder)"),
    "evaluate_imbalanced_classifier": Former(REFUSED, "write model.evaluate(data)"),
    "custom_success_metric": Former(REFUSED, "write model.evaluate(data).important_f1"),
    "focal_loss": Former(REFUSED, 'write loss="focal:gamma=2", or FocalLoss(gamma=2.0) for a network of your own'),
    "build_bilstm_crf_model": Former(REFUSED, 'write decision="viterbi"'),
}
"""Names of modules, and of the listings in the former documents."""

NETWORK_NAMES = {
    "members": "ensemble_size",
    "characters": "char_slots",
    "beside": "context_slots",
    "beside_vocabulary_size": "context_vocabulary_size",
}
"""Former names of the numbers of a saved network, and the present ones."""

READ_ONLY = frozenset({"keras_model", "classifier_model", "model_weights", "labels"})
"""Attributes of ``RNNSkolModel`` that client code used to set."""


def refusal(names: Iterable[str], table: Mapping[str, Former]) -> str:
    """Say of names of a table what to write instead, "" if none of them is refused there."""
    by_advice: dict[str, list[str]] = {}
    for name in names:
        if name in table and table[name].now == REFUSED:
            by_advice.setdefault(table[name].advice, []).append(name)
    return "; ".join(f"{' and '.join(map(repr, found))}: {advice}" for advice, found in by_advice.items())


def refuse_import(module: str, name: str) -> None:
    """Raise an ImportError for a former name: an AttributeError would lose its text in ``from module import name``."""
    if advice := refusal([name], MODULE_NAMES):
        raise ImportError(f"{module} has no {advice}.", name=module)


class FormerNames:
    """A class that says what to write instead of the names of its former namesake."""

    _former: ClassVar[Mapping[str, Former]]
    _former_order: ClassVar[Sequence[str]]
    _by_position: ClassVar[int] = 0

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Name the keywords of arguments that were given by position."""
        if len(args) > cls._by_position:
            written = ", ".join(f"{name}=..." for name in cls._former_order[: len(args)])
            raise TypeError(f"{cls.__name__} takes keyword arguments: write {cls.__name__}({written}).")
        return super().__new__(cls)

    if not TYPE_CHECKING:  # else every misspelt attribute would pass the type checks

        def __getattr__(self, name: str) -> NoReturn:
            if advice := refusal([name], self._former):
                raise AttributeError(f"{type(self).__name__} has no {advice}.", name=name)
            return object.__getattribute__(self, name)  # raises, for a property again its own error

    def __setattr__(self, name: str, value: Any) -> None:
        if name in READ_ONLY and isinstance(getattr(type(self), name, None), property):
            what = "the labels to fit" if name == "labels" else "training data to fit, or a path to load"
            raise AttributeError(f"{name} of {type(self).__name__} is read only: pass {what}.", name=name)
        super().__setattr__(name, value)
