"""Errors that a user can cause and mend; the command line turns each into one sentence and an exit status."""

from __future__ import annotations

from skol_rnn.labels import printable


class SkolError(Exception):
    """Base of the errors this package raises on purpose."""

    def __str__(self) -> str:
        # Names of files, documents and labels may contain what a terminal obeys.
        return printable(super().__str__(), keep="\t\n")


class DataError(SkolError, ValueError):
    """A document, table or file cannot be used as it is; the message names it and says what to do."""


class BundleError(DataError):
    """A saved model is damaged, foreign or newer than this package."""


class NotTrainedError(SkolError, ValueError, AttributeError):
    """A model was asked to predict or save before ``fit``."""


class ModelNotFoundError(BundleError, FileNotFoundError):
    """There is no saved model where one was asked for."""


class StoreError(SkolError, OSError):
    """A store of models cannot be reached, refuses the password, or is full; the old model is still current."""


class RepairWarning(UserWarning):
    """Files were damaged, and the reader repaired them; the documents list the repairs."""


class LabelWarning(UserWarning):
    """Labels are probably not what the caller means: some differ only in case, or documents have none at all."""


class SeenWarning(UserWarning):
    """Documents are scored that the model was trained on, or that chose its epoch and decision."""


class FrameworkWarning(UserWarning):
    """TensorFlow is not installed and nothing else was chosen, so Keras runs on another framework."""


class GraphWarning(UserWarning):
    """A model has no graph for ONNX Runtime, so it predicts with Keras only."""
