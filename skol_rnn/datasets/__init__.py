"""The bundled sample corpus, and the download of the public annotated journals."""

from __future__ import annotations

from skol_rnn.datasets.corpora import cache_folder, download_journals, sample_corpus

__all__ = ["cache_folder", "download_journals", "sample_corpus"]
