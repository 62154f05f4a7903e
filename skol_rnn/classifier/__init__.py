"""``SkolClassifierV2``: labels for the lines or paragraphs of files, texts and tables, with Spark or pandas."""

from skol_rnn.classifier.classifier import SkolClassifierV2
from skol_rnn.classifier.options import DESTINATIONS, SOURCES

__all__ = ["DESTINATIONS", "SOURCES", "SkolClassifierV2"]


def __getattr__(name: str) -> object:
    from skol_rnn.former import refuse_import

    refuse_import(__name__, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
