"""Several settings by several data sets by several seeds: run in processes, resumable, in one table and one page."""

from __future__ import annotations

import sys
from types import ModuleType

from skol_rnn.batch_evaluate.run import batch_evaluate

__all__ = ["batch_evaluate"]


class _Package(ModuleType):
    """``skol_rnn.batch_evaluate`` is a package and a function; importing one of its modules must not hide the function."""

    __call__ = staticmethod(batch_evaluate)


sys.modules[__name__].__class__ = _Package
