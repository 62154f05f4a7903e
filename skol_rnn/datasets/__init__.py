"""The made-up sample corpus and its generator, and the download of the public annotated journals.

`writer` makes words and sentences from the lists in `vocabulary`, `sections` makes the parts of an article, `layout`
sets them on pages, `journal` joins these into a corpus; `download` fetches real volumes.
"""

from __future__ import annotations

from skol_rnn.datasets.download import download_journals
from skol_rnn.datasets.journal import cache_folder, damaged_documents, make_journal_corpus, sample_corpus, write_sample

__all__ = [
    "cache_folder",
    "damaged_documents",
    "download_journals",
    "make_journal_corpus",
    "sample_corpus",
    "write_sample",
]
