"""Write figures to files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from skol_rnn.labels import suggestion
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_ENDINGS = (".png", ".svg")


def check_figure_path(path: str | Path) -> None:
    """Check before any work that the file of a figure has a supported ending."""
    ending = Path(path).suffix.lower()
    if ending not in FIGURE_ENDINGS:
        hint = suggestion(ending, FIGURE_ENDINGS)
        raise ValueError(f"A figure file ends in {' or '.join(FIGURE_ENDINGS)}, not {ending!r}.{hint}")
    new_figure(1, 1)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure outside of pyplot's state, so that a notebook does not show it twice."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('Figures need matplotlib: pip install "skol_rnn[report]"') from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure atomically and return its path."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix.lower()[1:], dpi=150)
    write_atomically(Path(path), buffer.getvalue())
    return Path(path)
