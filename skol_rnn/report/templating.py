"""Pages from templates: one file each, no network, and a content security policy that allows one known script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any


def require_jinja2() -> None:
    """Raise an ImportError that names the extra where jinja2 is missing; call it before any work."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise ImportError("HTML pages need jinja2: pip install 'skol_rnn[report]'") from error


def asset(name: str) -> str:
    """Return the text of a file in the folder of templates."""
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def render(template: str, *, title: str, styles: Sequence[str] = (), scripts: Sequence[str] = (), **values: Any) -> str:
    """Render a page that extends base.html, with the named style sheets after base.css, and the named scripts."""
    from markupsafe import Markup

    script = "\n".join(asset(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template(template)
        .render(
            title=title,
            styles=[Markup(asset(name)) for name in ("base.css", *styles)],
            script=Markup(script),
            script_hash=Markup(f"'sha256-{digest}'" if script else "'none'"),
            **values,
        )
    )


@cache
def _environment() -> Any:
    require_jinja2()
    import jinja2

    from skol_rnn.labels import printable

    # What a template prints is escaped, and control characters are shown as \x1b.
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if hasattr(value, "__html__") or not isinstance(value, str) else printable(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
