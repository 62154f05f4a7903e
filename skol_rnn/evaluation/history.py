"""The history of a training: a dict of one value an epoch, which is also a table and a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes


class History(dict[str, list[float]]):
    """One value an epoch by name, as Keras has it: ``loss``, ``val_f1/Label``, ``val_important_f1`` and so on.

    Examples
    --------
    >>> history = History({"loss": [0.9, 0.5], "val_f1/Misc": [0.6, 0.8], "val_important_f1": [0.1, 0.4]})
    >>> history
    History(epochs=2, best_epoch=2, important_f1=0.4000)
    >>> history["loss"][-1], history == dict(history)
    (0.5, True)
    """

    def to_frame(self) -> pd.DataFrame:
        """Return the history as a table.

        Returns
        -------
        DataFrame
            One row an epoch, one column a name; NaN where a series is shorter.

        Examples
        --------
        >>> History({"loss": [0.9, 0.5], "refit_loss": [0.8]}).to_frame().loc[2].tolist()
        [0.5, nan]
        """
        import pandas as pd

        frame = pd.DataFrame({name: pd.Series(values, dtype="float64") for name, values in self.items()})
        return frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="epoch"))

    def plot(self, labels: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
        """Draw the F1 of each label by epoch on the validation set, or the training loss where there is none.

        Parameters
        ----------
        labels : sequence of str, optional
            The labels; the first twelve if not given.
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Examples
        --------
        >>> history = History({"loss": [0.9, 0.5], "val_f1/Misc": [0.6, 0.8]})
        >>> history.plot().lines[0].get_ydata().tolist()
        [0.6, 0.8]
        """
        from skol_rnn.report.charts import plot_learning_curves

        return plot_learning_curves(self, labels, ax)

    def __repr__(self) -> str:
        from skol_rnn.report.notebook import best_epoch

        best = best_epoch(self)
        scores = f", best_epoch={best}, important_f1={self['val_important_f1'][best - 1]:.4f}" if best else ""
        return f"History(epochs={len(self.get('loss', []))}{scores})"

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import history_html

        return history_html(self)
