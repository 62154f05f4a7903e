"""What TensorFlow's libraries print on standard error while they start, hidden."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from skol_rnn.errors import SkolError

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextlib.contextmanager
def quiet_start() -> Iterator[bool]:
    """Hide standard error unless there is an error, or the user has chosen what TensorFlow prints; say whether."""
    import skol_rnn.network  # noqa: F401  # checks the backend

    if _LEVEL in os.environ:
        yield False
        return
    os.environ[_LEVEL] = "3"  # real errors arrive as exceptions
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield True
        except (SkolError, KeyboardInterrupt):
            raise  # the libraries' messages would only hide it
        except BaseException:
            caught.seek(0)
            os.write(kept, caught.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hide what TensorFlow's libraries print while they load, unless they fail."""
    with quiet_start() as hidden:
        if hidden:
            from skol_rnn.inference.keras_runner import load_tensorflow

            load_tensorflow()
        yield


def load_keras() -> None:
    """Load what runs the network; in a notebook without its messages, which would stand below a cell on red ground."""
    with quiet_start() if "ipykernel" in sys.modules else contextlib.nullcontext():
        import skol_rnn.inference.keras_runner  # noqa: F401
