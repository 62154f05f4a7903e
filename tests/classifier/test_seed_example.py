"""The complete example that users of the old class know, as it was written, on a real Redis and a real Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skol_rnn

pytestmark = [pytest.mark.redis, pytest.mark.spark]
ROOT = Path(skol_rnn.__file__).resolve().parent.parent

EXAMPLE = """
import redis
from pyspark.sql import SparkSession
from skol_rnn.classifier import SkolClassifierV2

spark = SparkSession.builder \\
    .appName("RNN with Class Weights") \\
    .getOrCreate()

redis_client = redis.Redis(host='localhost', port=PORT, decode_responses=False)

class_weights = {
    "Nomenclature": 100.0, # 1x - rarest, most important
    "Description": 10.0,   # 10x - important
    "Misc": 0.1           # 100x+ - least important
}

model_config = {
    'model_type': 'rnn',
    'window_size': 15,
    'prediction_stride': 5,
    'hidden_size': 128,
    'num_layers': 2,
    'dropout': 0.3,
    'epochs': 6,
    'batch_size': 32,
    'verbosity': 1,
    'class_weights': class_weights, # Apply class weights
}

annotated_files = [
    'data/annotated/file1.txt.ann',
    'data/annotated/file2.txt.ann',
    'data/annotated/file3.txt.ann',
]

classifier = SkolClassifierV2(
    spark=spark,
    input_source='files',
    file_paths=annotated_files,
    auto_load_model=False,
    model_storage='redis',
    redis_client=redis_client,
    redis_key='rnn_model_with_weights',
    MODE**model_config
)

print("Training classifier with class weights...")
results = classifier.fit()

stats = results['test_stats']
print(f"Nomenclature F1: {stats['Nomenclature_f1']:.4f}")
print(f"Nomenclature Loss: {stats['Nomenclature_loss']:.4f}")
print(f"Description F1: {stats['Description_f1']:.4f}")
print(f"Description Loss: {stats['Description_loss']:.4f}")

classifier.save_model()
print(f"Model saved to Redis with class weights applied")
classifier.predict().toPandas().to_json("first.json", double_precision=15)
"""

SECOND = """
import redis
from skol_rnn.classifier import SkolClassifierV2

classifier = SkolClassifierV2(
    file_paths=[f'data/annotated/file{n}.txt.ann' for n in (1, 2, 3)], auto_load_model=True, model_storage='redis',
    redis_client=redis.Redis(port=PORT), redis_key='rnn_model_with_weights',
)
classifier.predict().to_json("second.json", double_precision=15)
"""


@pytest.mark.parametrize(
    ("mode", "nomenclature", "description"), [("", 0.70, 0.85), ("extraction_mode='line', ", 0.85, 0.85)]
)
def test_the_complete_example_finds_the_rare_label_and_a_second_process_predicts_the_same(
    tmp_path, mode, nomenclature, description
):
    import pandas as pd
    from redis_server import RedisServer

    (tmp_path / "data" / "annotated").mkdir(parents=True)
    for number, source in enumerate(
        sorted((ROOT / "skol_rnn" / "datasets" / "sample" / "train").rglob("*.ann"))[:3], 1
    ):
        shutil.copy(source, tmp_path / "data" / "annotated" / f"file{number}.txt.ann")
    server = RedisServer(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYSPARK_PYTHON", None)  # the example does not set it
    environment |= {"PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell"}

    def run(code):
        code = code.replace("PORT", str(server.port)).replace("MODE", mode)
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    try:
        printed = run(EXAMPLE)
        run(SECOND)
    finally:
        server.kill()
    class_names = ("Nomenclature", "Description")
    weights = (
        "[BiLSTM] Using weighted loss with class weights:\n  Description: 10.0\n  Misc: 0.1\n  Nomenclature: 100.0\n"
    )
    assert weights in printed
    for line in ("Training classifier with class weights...", "Nomenclature Loss: ", "Description Loss: "):
        assert line in printed
    f1 = {name: float(re.search(rf"^{name} F1: (\S+)$", printed, re.MULTILINE)[1]) for name in class_names}
    assert f1["Nomenclature"] >= nomenclature
    assert f1["Description"] >= description
    assert printed.endswith("Model saved to Redis with class weights applied\n")
    first, second = (
        pd.read_json(tmp_path / name).sort_values(["doc_id", "line_number"]).reset_index(drop=True)
        for name in ("first.json", "second.json")
    )
    assert first["predicted_label"].tolist() == second["predicted_label"].tolist()
    for one, other in zip(first["probabilities"], second["probabilities"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)
