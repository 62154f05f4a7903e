"""Pictures that are written to files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from skol_rnn.labels import suggestion
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_ENDINGS = (".png", ".svg")


def check_picture(path: str | Path) -> None:
    """Refuse a picture that could not be written, before the work that it should show."""
    ending = Path(path).suffix.lower()
    if ending not in PICTURE_ENDINGS:
        hint = suggestion(ending, PICTURE_ENDINGS)
        raise ValueError(f"A chart is a file that ends in {' or '.join(PICTURE_ENDINGS)}, not {ending!r}.{hint}")
    new_figure(1, 1)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that is no part of pyplot's state, which a notebook's own figures share."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('Pictures need matplotlib: pip install "skol_rnn[report]"') from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix.lower()[1:], dpi=150)
    write_atomically(Path(path), buffer.getvalue())
    return Path(path)
