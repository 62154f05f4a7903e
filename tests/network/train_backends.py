"""Train the models of ``trained/`` again, under the backend that KERAS_BACKEND names."""

from __future__ import annotations

from pathlib import Path

import keras
from toy import SMALL, toy_table, toy_tokens

from skol_rnn import RNNSkolModel

if __name__ == "__main__":
    folder = Path(__file__).parent / "trained"
    settings = {**SMALL, "epochs": 3, "num_layers": 2, "batch_size": 4}
    RNNSkolModel(**settings).fit(toy_table()).save(folder / f"lines_{keras.config.backend()}.skol")
    if keras.config.backend() == "tensorflow":
        RNNSkolModel(unit="token", **settings).fit(toy_tokens()).save(folder / "tokens_tensorflow.skol")
