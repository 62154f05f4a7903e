"""``SkolClassifierV2``: documents from files, Spark or CouchDB to labels."""

from skol_rnn.classifier.classifier import DESTINATIONS, SOURCES, SkolClassifierV2

__all__ = ["DESTINATIONS", "SOURCES", "SkolClassifierV2"]
