"""A pretrained model of toy size, written without torch."""

from __future__ import annotations

import json

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
]
SIZE, HEADS, LAYERS = 8, 2, 2


def write_model(folder, seed=0, **config):
    """Write a BERT of two layers whose pieces are letters."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(arrays(seed), folder / "model.safetensors")
    values = {"model_type": "bert", "hidden_act": "gelu", "hidden_size": SIZE, "num_attention_heads": HEADS}
    values |= {"num_hidden_layers": LAYERS, "max_position_embeddings": 24, "layer_norm_eps": 1e-12, **config}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def arrays(seed=0):
    """Draw the arrays of the model."""
    rng = np.random.default_rng(seed)

    def drawn(*shape):
        return rng.normal(0, 0.5, shape).astype(np.float32)

    found = {
        f"embeddings.{name}_embeddings.weight": drawn(rows, SIZE)
        for name, rows in (("word", len(PIECES)), ("position", 24), ("token_type", 2))
    }
    norms, denses = ["embeddings.LayerNorm"], {}
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        denses |= {f"{layer}.attention.self.{part}": (SIZE, SIZE) for part in ("query", "key", "value")}
        denses |= {f"{layer}.attention.output.dense": (SIZE, SIZE)}
        denses |= {f"{layer}.intermediate.dense": (12, SIZE), f"{layer}.output.dense": (SIZE, 12)}
    for name in norms:
        found |= {f"{name}.weight": 1 + drawn(SIZE) / 5, f"{name}.bias": drawn(SIZE) / 5}
    for name, shape in denses.items():
        found |= {f"{name}.weight": drawn(*shape), f"{name}.bias": drawn(shape[0])}
    return found
