"""The bundled sample corpus, and the download of the public annotated journals."""

from __future__ import annotations

from skol_rnn.datasets.bundled import cache_folder, sample_corpus
from skol_rnn.datasets.download import download_journals

__all__ = ["cache_folder", "download_journals", "sample_corpus"]
