"""Which documents and windows the network trains on; see ``Sampling`` for the schemes."""

from skol_rnn.sampling.draws import draw_oversampled, draw_stratified, sampling_shift
from skol_rnn.sampling.rare import rare_labels_among
from skol_rnn.sampling.scheme import SCHEMES, Sampling
from skol_rnn.sampling.tables import (
    copies_with_originals,
    oversample_documents_with_rare_labels,
    stratified_document_sample,
)
from skol_rnn.sampling.windows import draw_windows, window_draw_rates

__all__ = [
    "SCHEMES",
    "Sampling",
    "copies_with_originals",
    "draw_oversampled",
    "draw_stratified",
    "draw_windows",
    "oversample_documents_with_rare_labels",
    "rare_labels_among",
    "sampling_shift",
    "stratified_document_sample",
    "window_draw_rates",
]
