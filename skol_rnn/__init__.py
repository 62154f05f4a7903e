"""Label every line of a document when the class that matters is a hundred times rarer than the rest.

The public names are listed in ``__init__.pyi`` and imported on first use: ``import skol_rnn`` does not load TensorFlow.
"""

import lazy_loader

__version__ = "0.2.0"

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name not in __all__:
        from skol_rnn.former import refuse_import

        refuse_import(__name__, name)
    return _public(name)
