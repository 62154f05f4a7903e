"""Where saved models live: versions of one model's bytes on disk or in Redis, one of them the current one.

The bytes are those of :meth:`skol_rnn.persistence.bundle.Bundle.to_bytes`, and nothing here unpickles or unpacks them.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from skol_rnn.errors import BundleError, DataError, ModelNotFoundError, StoreError
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import Bundle

REDIS_LIMIT = 512 << 20
"""Bytes that a Redis value may have (its ``proto-max-bulk-len``)."""
KEEP = 5
"""Versions that a store keeps if not told otherwise."""

_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}")


@dataclass(frozen=True)
class Version:
    """A version of a model."""

    id: str
    size: int
    current: bool


class ModelStore(Protocol):
    """What holds the versions of one model."""

    def save(self, blob: bytes) -> Version:
        """Add a version and make it the current one, at once or not at all."""

    def load(self, version: str | None = None) -> bytes:
        """Return the bytes of a version, the current one if not given, their content hash verified."""

    def versions(self) -> list[Version]:
        """List the versions, the oldest first."""

    def rollback(self, version: str | None = None) -> Version:
        """Make an older version the current one: the one before it if not given."""


def version_id(blob: bytes) -> str:
    """Name a version by the time and its content."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{hashlib.sha256(blob).hexdigest()[:16]}"


def _verified(blob: bytes, version: str, name: str) -> bytes:
    if not hashlib.sha256(blob).hexdigest().startswith(version.rpartition("-")[2]):
        raise BundleError(f"Version {version} of {name} does not have the bytes it was saved with: roll back.")
    return blob


def _earlier(versions: list[Version], asked: str | None, name: str) -> str:
    """Return the version that a rollback goes to."""
    known = [version.id for version in versions]
    if asked is not None:
        if asked not in known:
            raise ModelNotFoundError(f"{name} has no version {asked}; there are {', '.join(known) or 'none'}.")
        return asked
    now = next((i for i, version in enumerate(versions) if version.current), len(versions))
    if now == 0:
        raise ModelNotFoundError(f"{name} has no version before the current one.")
    return known[now - 1]


def _superfluous(versions: list[Version], keep: int) -> list[str]:
    return [version.id for version in versions[:-keep] if not version.current]


def _check_keep(keep: int) -> int:
    if keep < 1:
        raise ValueError(f"keep must be at least 1, but is {keep!r}.")
    return keep


class DiskStore:
    """Versions of a model as files of a folder, ``current.skol`` a link to one of them.

    Parameters
    ----------
    path : path-like
        The folder, taken as it is but for the ending ``.pkl``, which the old class had.  It may also be a model
        that ``RNNSkolModel.save`` wrote, which is then loaded and never written to.
    keep : int, default 5
        Versions kept; older ones are removed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = DiskStore(folder)
    ...     first, second = store.save(b"one"), store.save(b"two")
    ...     _ = store.rollback()
    ...     store.load(), [version.current for version in store.versions()]
    (b'one', [True, False])
    """

    def __init__(self, path: str | os.PathLike[str], keep: int = KEEP) -> None:
        path = Path(path)
        self.path = path.with_suffix("") if path.suffix == ".pkl" else path
        self._keep = _check_keep(keep)

    def save(self, blob: bytes) -> Version:
        """Add a version and make it the current one.

        Parameters
        ----------
        blob : bytes
            A bundle's bytes.

        Returns
        -------
        Version
            The new version.

        Raises
        ------
        DataError
            If the path holds something else.
        StoreError
            If it cannot be written to; the old version is current then.
        """
        if self.path.is_file() or (self.path / "manifest.json").exists():
            raise DataError(f"{self.path} is a model of its own and no store of versions: choose another path.")
        name = version_id(blob)
        with self._telling():
            write_atomically(self._file(name), blob)
            self._switch(name)
            for old in _superfluous(self.versions(), self._keep):
                self._file(old).unlink(missing_ok=True)
        return Version(name, len(blob), current=True)

    def load(self, version: str | None = None) -> bytes:
        """Return the bytes of a version.

        Parameters
        ----------
        version : str, optional
            Its id; the current one if not given.

        Returns
        -------
        bytes
            A bundle's bytes, their content hash verified.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        BundleError
            If its bytes are not those that were saved.
        """
        if self.path.is_file():
            return self.path.read_bytes()
        if (self.path / "manifest.json").exists():
            from skol_rnn.persistence.bundle import load_bundle

            return load_bundle(self.path).to_bytes()
        if not self.path.is_dir():
            raise ModelNotFoundError(f"Model directory not found: {self.path}.")
        chosen = version or self._current()
        if chosen is None or not self._file(chosen).is_file():
            raise ModelNotFoundError(f"There is no {f'version {version}' if version else 'model'} in {self.path}.")
        return _verified(self._file(chosen).read_bytes(), chosen, str(self.path))

    def versions(self) -> list[Version]:
        """List the versions.

        Returns
        -------
        list of Version
            The oldest first.
        """
        current = self._current()
        files = sorted(self.path.glob("versions/*.skol"))
        return [Version(f.stem, f.stat().st_size, f.stem == current) for f in files if _ID.fullmatch(f.stem)]

    def rollback(self, version: str | None = None) -> Version:
        """Make an older version the current one.

        Parameters
        ----------
        version : str, optional
            Its id; the one before the current one if not given.

        Returns
        -------
        Version
            The version that is current now.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        """
        chosen = _earlier(self.versions(), version, str(self.path))
        with self._telling():
            self._switch(chosen)
        return Version(chosen, self._file(chosen).stat().st_size, current=True)

    def _file(self, version: str) -> Path:
        if not _ID.fullmatch(version):
            raise ModelNotFoundError(f"{version!r} is no version.")
        return self.path / "versions" / f"{version}.skol"

    def _current(self) -> str | None:
        link = self.path / "current.skol"
        return Path(os.readlink(link)).stem if link.is_symlink() else None

    def _switch(self, version: str) -> None:
        fresh = self.path / f".{uuid.uuid4().hex}.tmp"
        os.symlink(f"versions/{version}.skol", fresh)
        os.replace(fresh, self.path / "current.skol")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written ({error.strerror or error}): not saved.") from error


class RedisStore:
    """Versions of a model as Redis values; ``key`` holds the id of the current one.

    ``key:ID`` holds the bytes and ``key:versions`` the ids.  A version is written whole before ``key`` is switched
    to it in one transaction, so that a save that breaks off leaves the old model current.

    Parameters
    ----------
    client : redis.Redis
        The caller's client, with its TLS and password; ``decode_responses`` must be False.
    key : str
        Such as ``skol:classifier:model:rnn_v1``, see :func:`model_key`.
    expire : int, optional
        Seconds after which a version is gone.
    keep : int, default 5
        Versions kept; older ones are removed.
    limit : int, default 512 MiB
        Bytes that a value may have on this server.

    Raises
    ------
    ValueError
        If the client decodes what it reads, or ``expire`` or ``keep`` is below 1.
    """

    def __init__(
        self, client: Any, key: str, expire: int | None = None, keep: int = KEEP, limit: int = REDIS_LIMIT
    ) -> None:
        if _connection(client).get("decode_responses"):
            raise ValueError("The Redis client decodes what it reads: make it with decode_responses=False.")
        if expire is not None and expire < 1:
            raise ValueError(f"redis_expire must be at least 1 second, but is {expire!r}.")
        self._client, self.key, self._expire = client, key, expire
        self._keep, self._limit = _check_keep(keep), limit

    def save(self, blob: bytes) -> Version:
        """Add a version and make it the current one.

        Parameters
        ----------
        blob : bytes
            A bundle's bytes.

        Returns
        -------
        Version
            The new version.

        Raises
        ------
        DataError
            If the model is too large for a Redis value, or the key holds something else.
        StoreError
            If Redis cannot be reached, refuses the password or is full; the old version is current then.
        """
        if len(blob) > self._limit:
            raise DataError(
                f"The model has {len(blob):,} bytes and a Redis value at most {self._limit:,}: save it on disk "
                '(model_storage="disk"), or train one with fewer members or a smaller input_size.'
            )
        name = version_id(blob)
        with self._telling("the model was not saved, and the one before is still current"):
            self._current()  # refuses to replace what is not ours
            self._client.set(self._place(name), blob, ex=self._expire)
            self._switch(name)
            self._prune()
        return Version(name, len(blob), current=True)

    def load(self, version: str | None = None) -> bytes:
        """Return the bytes of a version.

        Parameters
        ----------
        version : str, optional
            Its id; the current one if not given.

        Returns
        -------
        bytes
            A bundle's bytes, their content hash verified.

        Raises
        ------
        ModelNotFoundError
            If there is none, or Redis has let it expire or evicted it.
        BundleError
            If its bytes are not those that were saved.
        StoreError
            If Redis cannot be reached or refuses the password.
        """
        with self._telling("no model was loaded"):
            chosen = version or self._current()
            if chosen is None:
                raise ModelNotFoundError(f"No model found in Redis with key: {self.key}.")
            blob = self._client.get(self._place(chosen))
            if blob is None:
                left = ", ".join(one.id for one in self.versions()) or "none"
                raise ModelNotFoundError(
                    f"No model found in Redis with key: {self.key}: version {chosen} has expired or was evicted. "
                    f"Save it again, or roll back; versions left: {left}."
                )
        return _verified(blob, chosen, self.key)

    def versions(self) -> list[Version]:
        """List the versions that are still there.

        Returns
        -------
        list of Version
            The oldest first.
        """
        with self._telling("no version was listed"):
            current = self._current()
            names = sorted(name.decode() for name in self._client.smembers(f"{self.key}:versions"))
            sizes = [self._client.strlen(self._place(name)) for name in names]
        return [Version(name, size, name == current) for name, size in zip(names, sizes, strict=True) if size]

    def rollback(self, version: str | None = None) -> Version:
        """Make an older version the current one.

        Parameters
        ----------
        version : str, optional
            Its id; the one before the current one if not given.

        Returns
        -------
        Version
            The version that is current now.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        """
        versions = self.versions()
        chosen = _earlier(versions, version, self.key)
        with self._telling("the current model is still the one before"):
            self._switch(chosen)
        return next(Version(one.id, one.size, current=True) for one in versions if one.id == chosen)

    def _place(self, version: str) -> str:
        return f"{self.key}:{version}"

    def _current(self) -> str | None:
        """Return the current version's id; the value may be a large one of other software, so only its start is read."""
        found = self._client.getrange(self.key, 0, 99)
        if not found:
            return None
        if not _ID.fullmatch(found.decode("latin-1")):
            raise BundleError(
                f"Redis key {self.key} holds something else than a model of skol_rnn: choose another key."
            )
        return str(found.decode())

    def _switch(self, version: str) -> None:
        transaction = self._client.pipeline(transaction=True)
        transaction.sadd(f"{self.key}:versions", version)
        if self._expire is not None:
            transaction.expire(f"{self.key}:versions", self._expire)
        transaction.set(self.key, version, ex=self._expire)
        transaction.execute()

    def _prune(self) -> None:
        for old in _superfluous(self.versions(), self._keep):
            self._client.delete(self._place(old))
            self._client.srem(f"{self.key}:versions", old)

    @contextmanager
    def _telling(self, outcome: str) -> Iterator[None]:
        redis = _redis()
        where = "{host}:{port}".format_map({"host": "Redis", "port": "?"} | _connection(self._client))
        try:
            yield
        except redis.exceptions.AuthenticationError as error:
            raise StoreError(f"Redis at {where} refuses the password ({error}); {outcome}.") from error
        except redis.exceptions.ConnectionError as error:
            raise StoreError(f"Redis at {where} cannot be reached ({error}); {outcome}.") from error
        except redis.exceptions.RedisError as error:
            full = str(error).startswith(("OOM", "command not allowed when used memory")) or "maxmemory" in str(error)
            said = "is full (maxmemory): give it more, or let old models go" if full else f"failed ({error})"
            raise StoreError(f"Redis at {where} {said}; {outcome}.") from error


def _connection(client: Any) -> dict[str, Any]:
    return dict(getattr(getattr(client, "connection_pool", None), "connection_kwargs", {}))


def _redis() -> Any:
    try:
        import redis
    except ImportError as error:
        raise ImportError("The Redis client is not installed: pip install 'skol_rnn[redis]'.") from error
    return redis


def model_key(name: str, version: str) -> str:
    """Name a model's Redis key as the tools of the old class did."""
    return f"skol:classifier:model:{name}_{version}"


def load_stored(store: ModelStore, version: str | None = None) -> Bundle:
    """Read a version of a model."""
    return Bundle.from_bytes(store.load(version), "the stored model")
