"""What a trained model says about its decisions: how labels are chosen, what a purpose promises, what scores to expect."""

from __future__ import annotations

from typing import Any

from skol_rnn.data.inputs import Input
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.estimate import Estimate, Promise, promise_of
from skol_rnn.inference.estimating import estimate
from skol_rnn.inference.saved_model import SavedModel


class DecidingModel(SavedModel):
    """The methods of ``RNNSkolModel`` about decisions."""

    @property
    def decoder_(self) -> Decoder:
        """Correction, calibration, offsets and transitions."""
        self._require_trained()
        return self._predictor.decoder

    @property
    def decided_by(self) -> str:
        """How labels are decided; "auto" is resolved."""
        decoder, decision = self.decoder_, str(self._settings()["decision"])
        found = decoder.resolved(decision)
        return found if isinstance(found, str) else decision

    def promise(self, decision: str) -> Promise:
        """Return what a decision such as "recall:Nomenclature=0.95" promises about new documents.

        Parameters
        ----------
        decision : str
            ``recall:LABEL=SHARE`` or ``precision:LABEL=SHARE``.

        Returns
        -------
        Promise
            The threshold, and how often the promise holds.

        Raises
        ------
        DataError
            If too few lines of the label were held out from training; it says how many more are needed.
        ValueError
            If the decision has another form, or the model has no such label.
        """
        self._require_trained()
        return promise_of(decision, self.decoder_)

    def estimate(self, data: Any, decision: str | None = None) -> Estimate:
        """Estimate precision, recall and F1 of each label on documents without labels.

        Parameters
        ----------
        data : table, list of lines or documents, Corpus, or path(s)
            Documents, in any form that ``fit`` takes; labels are ignored.
        decision : str, optional
            How labels are decided; as the model decides them if not given.

        Returns
        -------
        Estimate
            The scores with prediction intervals, label shares, and the documents, the most uncertain first.

        Raises
        ------
        DataError
            If the data cannot be used or have no line.
        """
        self._require_trained()
        table = Input.of(data, line_no_col=self.line_no_col, unit=self.unit).table
        return estimate(self._predictor, [table], decision or self.decided_by, self.counts_)
