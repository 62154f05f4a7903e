"""Vectors of a local transformer: what is refused, and how pieces become tokens."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pytest

from skol_rnn.errors import DataError
from skol_rnn.features import transformer

INSTALLED = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))


@pytest.mark.skipif(INSTALLED, reason="the extra is installed")
def test_a_missing_extra_is_named(tmp_path):
    with pytest.raises(ImportError, match=r"pip install 'skol_rnn\[transformer\]'"):
        transformer.transformer_vectors(pd.DataFrame({"doc_id": ["a"], "value": ["x"]}), tmp_path)


def test_a_token_has_the_mean_of_its_pieces_from_the_window_with_most_context():
    # Pieces of five tokens, None for what begins and ends a window; token 2 stands in both, token 4 has two pieces.
    words = [[None, 0, 1, 1, 2, None], [None, 2, 3, 4, 4, None]]
    states = np.arange(12, dtype=np.float32).reshape(2, 6, 1)
    found = transformer._of_words(5, states, words)
    # Token 2 is one piece from an edge in both windows; the earlier one is taken.
    assert np.ravel(found).tolist() == [1.0, 2.5, 4.0, 8.0, 9.5]


def test_a_token_without_a_piece_has_zeros():
    found = transformer._of_words(2, np.ones((1, 2, 3), np.float32), [[None, 1]])
    assert found[0].tolist() == [0, 0, 0] and found[1].tolist() == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="the extra is not installed")
def test_a_small_model_made_here(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "red": 4, "fox": 5, "##es": 6}
    backend = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=16, **marks).save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=7, max_position_embeddings=18, **sizes)).save_pretrained(tmp_path)
    table = pd.DataFrame({"doc_id": ["a"] * 40 + ["b"] * 2, "value": ["red", "foxes"] * 21})
    found = transformer.transformer_vectors(table, tmp_path)
    assert len(found) == 42 and {vector.shape for vector in found} == {(8,)}
    alone = transformer.transformer_vectors(table.iloc[40:], tmp_path)
    np.testing.assert_allclose(np.stack(alone), np.stack(found[40:]), atol=1e-5)
    with pytest.raises(DataError, match="holds no transformer"):
        transformer.transformer_vectors(table, tmp_path / "nothing")
