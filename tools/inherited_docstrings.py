"""A griffe extension: a class without a docstring takes that of its first base class, as ``help`` does."""

from __future__ import annotations

from typing import Any

import griffe


class InheritedDocstrings(griffe.Extension):
    """Copies docstrings down when a package is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Visit all classes of the package."""
        self._visit(pkg)

    def _visit(self, place: griffe.Module | griffe.Class) -> None:
        for member in place.members.values():
            if isinstance(member, griffe.Module):
                self._visit(member)
            elif isinstance(member, griffe.Class) and member.docstring is None:
                documented = (
                    base for base in member.resolved_bases if isinstance(base, griffe.Class) and base.docstring
                )
                if base := next(documented, None):
                    member.docstring = base.docstring
