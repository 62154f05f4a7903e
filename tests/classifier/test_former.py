"""What client code of the former classifier meets: each name works, or an error says what to write instead."""

from __future__ import annotations

import re
import warnings

import compatibility
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import LABELS, QUICK, SMALL, toy_table

import skol_rnn
from skol_rnn import RNNSkolModel, SkolClassifierV2, former
from skol_rnn.classifier import options as known
from skol_rnn.classifier import reading, training
from skol_rnn.classifier.labelling import _positions
from skol_rnn.data.inputs import labelled_table
from skol_rnn.errors import DataError, NotTrainedError
from skol_rnn.former import IGNORED, REFUSED

VALUES = {
    "input_source": "files", "output_dest": "files", "model_storage": None, "extraction_mode": "line",
    "section_filter": None, "output_format": "probs", "model_type": "rnn", "weight_strategy": "inverse", "min_weight": 0.1,
    "max_weight": 10.0, "verbosity": 0, "tokenizer": "line", "line_level": True, "model_params": {"epochs": 3},
    "class_weights": {"a": 1.0}, "focal_labels": ["a"], "auto_load_model": False, "redis_client": None,
}  # fmt: skip
RENAMED = ("tokenizer", "line_level")


def rows_of(table):
    return [pytest.param(name, entry, id=name) for name, entry in table.items()]


@pytest.mark.parametrize(
    ("made", "name", "entry"),
    [
        *((SkolClassifierV2, name, entry) for name, entry in former.OPTIONS.items()),
        *((RNNSkolModel, name, entry) for name, entry in former.MODEL_OPTIONS.items()),
    ],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) else ""),
)
def test_each_option_does_what_the_table_says(made, name, entry):
    given = {name: VALUES.get(name, 7)}
    if entry.now == REFUSED:
        with pytest.raises(TypeError, match=re.escape(f"{name!r}: {entry.advice}")):
            made(**given)
    elif entry.now == IGNORED or name in RENAMED:
        with pytest.warns(FutureWarning, match=re.escape(entry.advice)) as caught:
            made(**given)
        assert [warning.filename for warning in caught] == [__file__]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made(**given)


@pytest.mark.parametrize(
    ("thing", "name", "entry"),
    [
        *((SkolClassifierV2(), name, entry) for name, entry in former.CLASSIFIER_NAMES.items()),
        *((RNNSkolModel(), name, entry) for name, entry in former.MODEL_NAMES.items()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_method_does_what_the_table_says(thing, name, entry):
    if entry.now == REFUSED:
        with pytest.raises(AttributeError, match=re.escape(f"{type(thing).__name__} has no {name!r}: {entry.advice}")):
            getattr(thing, name)
        assert not hasattr(thing, name)
    else:
        assert hasattr(type(thing), name) or name in vars(thing)


@pytest.mark.parametrize(("name", "entry"), rows_of(former.MODULE_NAMES))
def test_each_import_does_what_the_table_says(name, entry):
    if entry.now != REFUSED:
        assert getattr(skol_rnn, name) is not None
        return
    for module in ("skol_rnn", "skol_rnn.classifier"):
        with pytest.raises(ImportError, match=re.escape(f"{module} has no {name!r}: {entry.advice}")):
            exec(f"from {module} import {name}")


def test_what_the_table_recommends_exists():
    advice = " ".join(entry.advice for table in compatibility.SECTIONS.values() for entry in table.values())
    calls = set(re.findall(r"\b(?:write|use|or) (\w+)[(,.]", advice)) - {"classifier", "model"}
    assert calls >= {"RNNSkolModel", "SkolClassifierV2", "read_documents", "evaluate_labels"}
    for name in calls - {"dict", "len"}:
        assert name in skol_rnn.__all__
    for line in compatibility.MODULES.values():
        exec(line)


def test_the_page_is_the_table():
    assert compatibility.PAGE.read_text("utf-8") == compatibility.page(), "run: python tools/compatibility.py"


def test_the_table_has_each_former_option_of_the_checks():
    assert {*known.WITHOUT_EFFECT, *known.IGNORED, *known.PLUGIN_OPTIONS} <= {*former.OPTIONS, *former.MODEL_OPTIONS}
    for name in known.WITHOUT_EFFECT:
        assert name == "model_type" or former.OPTIONS[name].now == IGNORED


def test_arguments_by_position_get_their_keywords():
    with pytest.raises(
        TypeError, match=re.escape("write RNNSkolModel(input_size=..., hidden_size=..., num_layers=...)")
    ):
        RNNSkolModel(1000, 128, 2)
    with pytest.raises(
        TypeError, match=re.escape("write SkolClassifierV2(spark=..., input_source=..., file_paths=...)")
    ):
        SkolClassifierV2(None, "files", ["a"])
    assert SkolClassifierV2("session").spark == "session"


def test_several_refused_options_are_one_sentence():
    with pytest.raises(
        TypeError, match=r"^SkolClassifierV2 has no option 'maxIter' and 'regParam': it belongs to [^.]+\.$"
    ):
        SkolClassifierV2(maxIter=10, regParam=0.01)


@pytest.mark.parametrize("kind", ["logistic", "random_forest", "gradient_boosted", "hybrid", "Rnn", None])
def test_other_models_are_refused_with_what_to_write(kind):
    with pytest.raises(ValueError, match='leave it out, or write model_type="rnn"'):
        SkolClassifierV2(model_type=kind, maxIter=10)


def test_a_left_out_model_type_is_said_once(capsys):
    known.say_model_type.cache_clear()
    unlabelled = pd.DataFrame({"doc_id": ["d"], "value": ["x"]})
    for options in ({"model_type": "rnn"}, {"model_params": {"model_type": "rnn"}}, {"verbosity": 0}, {}, {}):
        with pytest.raises(DataError):
            SkolClassifierV2(**options).fit(unlabelled)
    assert capsys.readouterr().out.count('model_type is left out: SkolClassifierV2 trains the network, "rnn"') == 1


def test_model_params_are_options():
    classifier = SkolClassifierV2(
        hidden_size=7, model_params={"hidden_size": 7, "epochs": 3, "verbosity": 0, "couchdb_url": "http://db"}
    )
    assert classifier.model_params == {"hidden_size": 7, "epochs": 3}
    assert classifier.verbosity == 0 and classifier.couchdb_url == "http://db"
    for name, value in (("hidden_size", 8), ("verbosity", 2)):
        with pytest.raises(ValueError, match=f"{name} is {value} as an option, and 5 in model_params: give it once"):
            SkolClassifierV2(**{name: value}, model_params={name: 5})
    with pytest.raises(TypeError, match="Did you mean 'hidden_size'"):
        SkolClassifierV2(model_params={"hiden_size": 3})
    with pytest.raises(TypeError, match="model_params must be a dict"):
        SkolClassifierV2(model_params=[3])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_former_mode_that_contradicts_is_refused():
    assert SkolClassifierV2(tokenizer="section").extraction_mode == "section"
    assert SkolClassifierV2(extraction_mode="line", tokenizer="line", line_level=True).line_level
    assert not SkolClassifierV2(line_level=False).line_level
    with pytest.raises(ValueError, match="tokenizer='line' contradicts extraction_mode='section'"):
        SkolClassifierV2(extraction_mode="section", tokenizer="line")


def test_what_is_read_only_says_so_and_an_untrained_model_still_does():
    model = RNNSkolModel()
    for name in ("keras_model", "classifier_model", "model_weights", "labels"):
        with pytest.raises(AttributeError, match=f"{name} of RNNSkolModel is read only: pass "):
            setattr(model, name, [])
    with pytest.raises(NotTrainedError, match="Call fit"):
        _ = model.keras_model
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = model.nothing


# Numbers in place of labels.


def numbered(kind=float):
    table = toy_table(4, 20)
    numbers = [kind(LABELS.index(label)) for label in table["label"]]
    return table.drop(columns="label").assign(label_indexed=numbers), table


@pytest.mark.parametrize("kind", [int, float, np.int32, np.float32])
@pytest.mark.parametrize("column", ["label", "label_indexed"])
def test_numbers_are_positions_in_the_labels(kind, column):
    numbers, table = numbered(kind)
    shuffled = numbers.sample(frac=1, random_state=0)
    found = labelled_table(shuffled, label_col=column, names=LABELS)
    columns = ["doc_id", "line_number", "label"]
    assert found[columns].sort_values(columns[:2]).to_numpy().tolist() == table[columns].to_numpy().tolist()


@settings(max_examples=40)
@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.just(pd.NaT), st.just(pd.Timestamp(0))))
def test_a_number_is_a_label_or_missing_or_an_error(number):
    table = pd.DataFrame({"doc_id": "d", "value": ["a", "b"], "label_indexed": pd.Series([1, number], dtype=object)})
    fits = not isinstance(number, bool) and number in (0, 1, 2)
    if fits or number is pd.NaT or number != number:
        found = labelled_table(table, names=LABELS)["label"].tolist()[1]
        assert found == LABELS[int(number)] if fits else pd.isna(found)
    else:
        with pytest.raises(DataError, match="which is no number of a label: 0 to 2 for Nomenclature"):
            labelled_table(table, names=LABELS)


def test_a_model_is_trained_and_scored_on_numbers():
    numbers, table = numbered()
    options = {**SMALL, **QUICK, "epochs": 1}
    with pytest.raises(DataError, match="'label_indexed' holds numbers: pass the labels"):
        RNNSkolModel(**options).fit(numbers)
    model = RNNSkolModel(**options).fit(numbers, labels=LABELS)
    assert model.labels == LABELS
    assert model.counts_.sum() + sum(table["doc_id"].isin(model.validation_documents_)) == len(table)
    expected = model.evaluate(table)
    assert (model.evaluate(numbers).confusion == expected.confusion).all()
    stats = model.calculate_stats(model.predict(numbers))
    assert stats["Nomenclature_f1"] == expected.to_dict()["Nomenclature_f1"]


def test_the_classifier_wants_names_not_numbers():
    numbers, table = numbered(int)
    with pytest.raises(DataError, match=r"no column 'label': 'label_indexed' holds numbers, which RNNSkolModel\.fit"):
        SkolClassifierV2(verbosity=0).fit(numbers)
    with pytest.raises(DataError, match="'label' holds 1, not text"):
        SkolClassifierV2(verbosity=0).fit(numbers.rename(columns={"label_indexed": "label"}).iloc[::-1])


# Rows of pandas; tests/classifier/test_spark.py has those of Spark.


@pytest.mark.parametrize("kind", [int, float, str, np.int64])
def test_line_numbers_order_the_lines_whatever_they_are_called(kind):
    table = toy_table(2, 12)
    shuffled = table.sample(frac=1, random_state=1).assign(place=lambda rows: rows["line_number"].map(kind))
    shuffled = shuffled.drop(columns="line_number")
    classifier = SkolClassifierV2(line_no_col="place")
    rows = training.training_rows(reading.read_units(classifier, True, shuffled), 100)
    assert rows["value"].tolist() == table["value"].tolist()
    assert reading.read_units(classifier, False, shuffled)["line_number"].tolist() == shuffled["place"].tolist()
    with pytest.raises(DataError, match="no column 'lines', which line_no_col names"):
        reading.read_units(SkolClassifierV2(line_no_col="lines"), True, shuffled)


def test_the_label_column_may_have_another_name():
    table = toy_table(2, 12).rename(columns={"label": "gold"})
    rows = training.training_rows(reading.read_units(SkolClassifierV2(label_col="gold"), True, table), 100)
    assert rows["label"].tolist() == table["gold"].tolist()


def test_documents_without_a_label_are_left_out_and_named():
    table = toy_table(3, 12)
    table.loc[table["doc_id"] == "doc1", "label"] = None
    with pytest.warns(skol_rnn.errors.LabelWarning, match="1 document has no label and is left out: doc1"):
        assert set(training.training_rows(table, 100)["doc_id"]) == {"doc0", "doc2"}
    with pytest.raises(DataError, match="No training row has a label"):
        training.training_rows(table.assign(label=None), 100)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"text": ["a"]}, "no column 'doc_id'"),
        ({"doc_id": ["a"], "text": [None]}, "Row 0 of column 'text' holds None"),
        ({"doc_id": [None], "text": ["a"]}, "Column 'doc_id' is empty in row 0"),
        ({"doc_id": ["a"]}, "no column 'value' or 'text', only doc_id"),
        ({"value": ["a"]}, "no column 'doc_id' or 'filename'"),
    ],
)
def test_tables_that_lack_something_say_what(rows, message):
    with pytest.raises(DataError, match=message):
        SkolClassifierV2().load_raw_from_df(pd.DataFrame(rows))


def test_other_data_is_refused_by_its_type():
    with pytest.raises(TypeError, match="a table or a list of texts, not set"):
        reading.read_units(SkolClassifierV2(), True, {"a"})
    with pytest.raises(DataError, match="Row 0 of column 'texts' holds 3"):
        reading.read_units(SkolClassifierV2(), True, [3])


@pytest.mark.parametrize("numbers", [["10", "9"], [10, 9], [10.0, 9.0], pd.array([10, 9], "Int64"), [2.5, 1.5]])
def test_positions_are_whole_numbers(numbers):
    found = _positions(pd.DataFrame({"line_number": numbers}))
    assert found.dtype == np.int64 and found[0] > found[1]
    assert _positions(pd.DataFrame({"line_number": pd.array([None], "Int64")})).tolist() == [0]
