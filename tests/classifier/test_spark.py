"""SkolClassifierV2 on a real Spark session of two executors; results equal those of pandas."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import SMALL

import skol_rnn
from skol_rnn.errors import DataError, SkolError

pytestmark = [
    pytest.mark.spark,
    # PySpark 4 calls pandas 3 by deprecated names, and warns about it itself.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark"),
]
ROOT = Path(skol_rnn.__file__).resolve().parent.parent
SAMPLE = ROOT / "skol_rnn" / "datasets" / "sample"
TRAINING = {
    "file_paths": sorted((SAMPLE / "train").rglob("*.ann"))[:5],
    "class_weights": {"Nomenclature": 5.0, "Description": 2.0, "Misc": 1.0},
    "extraction_mode": "line",
    "output_dest": "strings",
    "epochs": 1,
    **SMALL,
}


@pytest.fixture(scope="module")
def spark():
    if shutil.which("java") is None:
        pytest.fail("Java is not installed: make test-scale installs it")
    from pyspark.sql import SparkSession

    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("skol_rnn tests")
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "100",  # so that documents are cut by batches
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Train once without Spark; return the options of classifiers that load the model, and the scores."""
    from skol_rnn.classifier.classifier import SkolClassifierV2

    path = tmp_path_factory.mktemp("models") / "rnn"
    classifier = SkolClassifierV2(**TRAINING, model_storage="disk", model_path=path)
    stats = classifier.fit()
    classifier.save_model()
    return {"model_storage": "disk", "model_path": path, "auto_load_model": True, "extraction_mode": "line"}, stats


def classifier(stored, **options):
    from skol_rnn.classifier.classifier import SkolClassifierV2

    return SkolClassifierV2(**stored[0] | {"file_paths": [SAMPLE / "test"], "output_dest": "strings"} | options)


def ordered(rows):
    rows = rows if isinstance(rows, pd.DataFrame) else rows.toPandas()
    return rows.sort_values(["doc_id", "line_number"]).reset_index(drop=True)


def same(one, other):
    one, other = ordered(one), ordered(other)
    assert one["value"].tolist() == other["value"].tolist()
    assert one["predicted_label"].tolist() == other["predicted_label"].tolist()
    np.testing.assert_allclose(np.stack(one["probabilities"]), np.stack(other["probabilities"]), atol=1e-4)


@pytest.mark.parametrize("mode", ["line", "paragraph", "section"])
def test_units_read_by_spark_are_those_read_here(spark, mode):
    from skol_rnn.classifier.classifier import SkolClassifierV2
    from skol_rnn.classifier.reading import read_units

    options = {"file_paths": [SAMPLE / "test"], "extraction_mode": mode}
    here, there = (ordered(read_units(SkolClassifierV2(engine, **options), True)) for engine in (None, spark))
    there["filename"] = here["filename"]  # ours is as it was given, Spark's is absolute
    for name in here:
        assert here[name].tolist() == [None if pd.isna(value) else value for value in there[name]], name


def test_training_on_spark_gives_the_scores_of_training_here(spark, stored):
    from skol_rnn.classifier.classifier import SkolClassifierV2

    on_spark = SkolClassifierV2(spark, **TRAINING).fit()
    assert on_spark["confusion_matrix"] == stored[1]["confusion_matrix"]
    assert on_spark["class_frequencies"] == stored[1]["class_frequencies"]


def test_predictions_and_documents_are_those_of_pandas(spark, stored, tmp_path):
    here, there = classifier(stored), classifier(stored, spark=spark)
    labelled = there.predict()
    same(here.predict(), labelled)
    assert there.save_annotated(labelled) == here.save_annotated(here.predict())
    labelled.write.parquet(str(tmp_path / "labelled"))
    same(here.predict(), spark.read.parquet(str(tmp_path / "labelled")))


def test_files_are_written_in_the_workers_and_equal_those_of_the_command(spark, stored, tmp_path):
    there = classifier(stored, spark=spark, output_dest="files", output_path=tmp_path / "a", coalesce_labels=True)
    assert there.save_annotated(there.predict()) is None
    command = [sys.executable, "-m", "skol_rnn", "predict", stored[0]["model_path"] / "current.skol", SAMPLE / "test"]
    subprocess.run([*command, "--out", tmp_path / "b"], check=True, capture_output=True)
    files = sorted(path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*.ann"))
    assert files and files == sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.ann"))
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_real_volumes_are_labelled_alike_by_spark_by_pandas_and_by_the_command(spark, stored, corpora, tmp_path):
    dev = {"file_paths": [corpora / "skol" / "dev"]}
    here = ordered(classifier(stored, **dev).predict())
    same(here, classifier(stored, spark=spark, **dev).predict())
    model = stored[0]["model_path"] / "current.skol"
    command = [sys.executable, "-m", "skol_rnn", "predict", model, *dev["file_paths"], "--precision", "float32"]
    subprocess.run([*command, "--out", tmp_path / "out"], check=True, capture_output=True)
    written = skol_rnn.read_documents(tmp_path / "out").table.sort_values(["doc_id", "line_number"])
    assert written["value"].tolist() == here["value"].tolist()
    assert written["label"].tolist() == here["predicted_label"].tolist()


def test_rows_in_any_order_and_partition_are_put_together(spark, stored):
    units = classifier(stored).load_raw()
    shuffled = spark.createDataFrame(units.sample(frac=1, random_state=0)).repartition(7)
    same(classifier(stored).predict(), classifier(stored, spark=spark, input_source="dataframe").predict(shuffled))


@pytest.mark.parametrize("form", ["labels", "probs"])
def test_other_formats_are_saved_too(spark, stored, form):
    here, there = classifier(stored, output_format=form), classifier(stored, spark=spark, output_format=form)
    assert there.save_annotated(there.predict()) == here.save_annotated(here.predict())


def bad_rows():
    rows = [("good", i, f"line {i}") for i in range(30)] + [("bad", 0, "one"), ("bad", 0, "two")]
    return pd.DataFrame(rows, columns=["doc_id", "line_number", "value"])


def test_a_bad_document_ends_the_job_by_name(spark, stored):
    for engine, rows in ((None, bad_rows()), (spark, spark.createDataFrame(bad_rows()))):
        with pytest.raises(Exception, match="Document 'bad': Line number 0 occurs twice"):
            ordered(classifier(stored, spark=engine, input_source="dataframe").predict(rows))


def test_a_bad_document_is_collected_and_gets_no_class(spark, stored):
    for engine, rows in ((None, bad_rows()), (spark, spark.createDataFrame(bad_rows()))):
        found = ordered(classifier(stored, spark=engine, input_source="dataframe", on_error="collect").predict(rows))
        bad = found["doc_id"] == "bad"
        assert found.loc[bad, "errors"].str.contains("Document 'bad'").all() and found.loc[~bad, "errors"].isna().all()
        assert found.loc[bad, "predicted_label"].isna().all() and found.loc[~bad, "predicted_label"].notna().all()


def test_an_unreadable_file_is_an_error_or_collected(spark, stored, tmp_path):
    (tmp_path / "fine.txt").write_text("Genus nova\n")
    (tmp_path / "bad.ann").write_text("T1\tName 0 5\tGenus\n")  # brat's
    with pytest.raises(Exception, match="Document 'bad'.*brat"):
        classifier(stored, spark=spark, file_paths=[tmp_path]).predict().collect()
    found = ordered(classifier(stored, spark=spark, file_paths=[tmp_path], on_error="collect").predict())
    assert "brat" in found["errors"][0] and pd.isna(found["predicted_label"][0])
    assert pd.isna(found["errors"][1]) and isinstance(found["predicted_label"][1], str)


def test_workers_build_the_model_once_and_load_no_tensorflow(spark, stored):
    import hashlib

    blob = classifier(stored)._tuned_bundle().to_bytes()
    sent = spark.sparkContext.broadcast(blob)
    digest = hashlib.sha256(blob).hexdigest()

    def look(batches):
        import skol_rnn.classifier.spark as engine

        if not hasattr(engine, "loads"):  # counts the models that this process loads
            engine._loaded.clear()  # an earlier test may have loaded this model
            engine.loads, load = 0, engine.load_serving

            def counted(*arguments, **settings):
                engine.loads += 1
                return load(*arguments, **settings)

            engine.load_serving = counted
        lines = sum(len(rows) for rows in engine.label_batches(batches, sent, digest, None, "raise"))
        heavy = "tensorflow" in sys.modules or "keras" in sys.modules
        yield pd.DataFrame({"pid": [os.getpid()], "built": [engine.loads], "heavy": [heavy], "lines": [lines]})

    units = classifier(stored).load_raw()
    rows = spark.createDataFrame(units).repartition(16, "doc_id").sortWithinPartitions("doc_id", "line_number")
    found = pd.concat(
        rows.mapInPandas(look, "pid long, built long, heavy boolean, lines long").toPandas() for _ in range(3)
    )
    assert found["lines"].sum() == 3 * len(units)
    assert not found["heavy"].any()
    assert len(found) > found["pid"].nunique()
    assert (found.loc[found["lines"] > 0, "built"] == 1).all()


def test_too_many_training_rows_are_refused_before_they_are_collected(spark):
    from skol_rnn.classifier.classifier import SkolClassifierV2

    with pytest.raises(ValueError, match="training rows, but the driver takes 10"):
        SkolClassifierV2(spark, **TRAINING, max_training_rows=10).fit()


def test_a_killed_executor_changes_no_result(spark, stored, tmp_path):
    """The first task that comes to a marked document kills its executor's process, Java and all."""
    units = classifier(stored).load_raw()
    flag = str(tmp_path / "killed")
    victim = units["doc_id"].iloc[-1]

    def deadly(batches):
        for batch in batches:
            if (batch["doc_id"] == victim).any() and not os.path.exists(flag):
                Path(flag).touch()
                daemon = os.getppid()
                java = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
                os.kill(java, signal.SIGKILL)
            yield batch

    there = classifier(stored, spark=spark, input_source="dataframe")
    frame = spark.createDataFrame(units).repartition(4, "doc_id")
    found = there.predict(frame.mapInPandas(deadly, frame.schema))
    same(classifier(stored).predict(), found)
    assert os.path.exists(flag)


# The rows that callers bring: the same in fit and predict, and the same as with pandas.


def from_table(spark, stored, rows, **options):
    return classifier(stored, spark=spark, input_source="dataframe", **options), spark.createDataFrame(rows)


@pytest.mark.parametrize("kind", ["int", "bigint", "double", "string", "decimal(9,0)"])
@pytest.mark.parametrize("name", ["line_number", "place"])
def test_line_numbers_of_any_type_and_name_order_the_lines(spark, stored, kind, name):
    rows = bad_rows().iloc[:30]
    there, frame = from_table(spark, stored, rows, **({} if name == "line_number" else {"line_no_col": name}))
    frame = frame.withColumn("line_number", frame["line_number"].cast(kind)).withColumnRenamed("line_number", name)
    here = classifier(stored, input_source="dataframe")
    assert there.save_annotated(there.predict(frame.repartition(3))) == here.save_annotated(here.predict(rows))


def test_without_an_order_rows_are_refused_in_fit_and_predict(spark, stored):
    there, frame = from_table(spark, stored, bad_rows().assign(label="Misc"))
    frame = frame.drop("line_number")
    for use in (there.predict, there.fit, there.load_raw_from_df):
        with pytest.raises(DataError, match="The rows of Spark have no column 'line_number', and no order without it"):
            use(frame)
    with pytest.raises(DataError, match="no column 'lines', which line_no_col names, only doc_id, value, label"):
        classifier(stored, line_no_col="lines").fit(frame)


def test_training_puts_shuffled_rows_in_order(spark, stored):
    from skol_rnn.classifier.reading import read_units
    from skol_rnn.classifier.training import training_rows

    rows = bad_rows().iloc[:30].assign(label="Misc")
    there, frame = from_table(spark, stored, rows.astype({"line_number": str}).sample(frac=1, random_state=0))
    units = training_rows(read_units(there, True, frame.repartition(3)), 100)
    assert units["value"].tolist() == rows["value"].tolist()


def test_rows_named_by_file_and_rows_labelled_before_are_labelled(spark, stored):
    rows = bad_rows().iloc[:30]
    there, frame = from_table(spark, stored, rows.rename(columns={"doc_id": "filename"}))
    once = there.predict(frame)
    twice = there.predict(once)
    assert twice.columns == once.columns
    assert there.save_annotated(twice) == classifier(stored).save_annotated(classifier(stored).predict(rows))


@pytest.mark.parametrize(
    ("schema", "row", "message"),
    [
        ("text string", ("a",), "no column 'doc_id'"),
        ("doc_id string, line_number int", ("a", 0), "no column 'value' or 'text'"),
        ("value string, line_number int", ("a", 0), "no column 'doc_id' or 'filename'"),
        ("doc_id string, text string", ("a", None), "text of document a"),
        ("doc_id string, text string", (None, "a"), "Column 'doc_id' is empty in row 0"),
        ("doc_id string, line_number string, value string", ("a", "p3", "x"), "'line_number' holds 'p3'"),
        ("doc_id string, line_number int, value string", ("a", 1, None), "'value' holds None"),
    ],
)
def test_rows_that_lack_something_say_what(spark, stored, schema, row, message):
    there = classifier(stored, spark=spark, input_source="dataframe")
    with pytest.raises(Exception, match=message):
        there.predict(spark.createDataFrame([row], schema)).collect()


def test_vectors_are_refused_by_the_name_of_their_column(spark, stored):
    from pyspark.ml.linalg import Vectors

    there = classifier(stored, spark=spark, input_source="dataframe")
    frame = spark.createDataFrame(
        [("d", 0, "x", Vectors.dense([1.0]))], ["doc_id", "line_number", "value", "combined_idf"]
    )
    with pytest.raises(DataError, match="Column 'combined_idf' holds vectors of Spark.*: drop it"):
        there.predict(frame)


def test_a_model_of_pandas_says_what_to_do_with_rows_of_spark(spark, tiny_model):
    with pytest.raises(TypeError, match="pass its toPandas"):
        tiny_model.predict(spark.createDataFrame(bad_rows()))


# The Python of the workers.


@pytest.fixture
def workers(spark, monkeypatch):
    """Return the context of the session, whose Python may be changed."""
    context = spark.sparkContext
    for name in ("pythonExec", "pythonVer"):
        monkeypatch.setattr(context, name, getattr(context, name))
    return context


def test_workers_on_this_machine_run_this_python_unless_the_caller_chose_one(spark, stored, workers, monkeypatch):
    workers.pythonExec = "python-of-somebody-else"
    with pytest.raises(
        SkolError, match="Spark cannot start the Python of its workers, python-of-somebody-else: set the "
    ):
        classifier(stored, spark=spark).predict()
    monkeypatch.delenv("PYSPARK_PYTHON")
    assert classifier(stored, spark=spark).predict().count()
    assert workers.pythonExec == sys.executable


def test_workers_of_another_version_are_one_sentence(spark, stored, workers, monkeypatch):
    monkeypatch.setattr(workers_module(), "_checked", set())
    workers.pythonVer = "3.9"
    with pytest.raises(
        SkolError, match=r"^Spark's workers run Python 3\.\d+ \(.*\), and this program 3\.\d+: set the "
    ):
        classifier(stored, spark=spark).predict()


def test_workers_without_the_package_are_one_sentence(spark, stored, workers, tmp_path):
    bare = tmp_path / "python"
    keep = "PYTHONPATH=$(echo \"$PYTHONPATH\" | tr : '\\n' | grep -E 'pyspark|py4j' | paste -sd: -)"
    bare.write_text(f'#!/bin/sh\n{keep} exec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    workers.pythonExec = str(bare)
    for use in (lambda c: c.load_raw(), lambda c: c.fit(), lambda c: c.predict()):
        with pytest.raises(SkolError, match=r"The Python of Spark's workers, .*/python, has no module '\w+': install "):
            use(classifier(stored, spark=spark))


def workers_module():
    import skol_rnn.classifier.workers

    return skol_rnn.classifier.workers
