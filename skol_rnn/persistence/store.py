"""Stores of saved models: versions of one model's bytes on disk or in Redis, one of which is the current one."""

from __future__ import annotations

import itertools
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from skol_rnn.errors import BundleError, DataError, ModelNotFoundError, StoreError
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import checksum, load_bundle

_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}")


@dataclass(frozen=True)
class Version:
    """A version of a model: its id, its size in bytes, and whether it is the current one."""

    id: str
    size: int
    current: bool


class ModelStore(Protocol):
    """The versions of one model; `DiskStore` and `RedisStore` differ in where the bytes are."""

    _place: str
    _keep: int

    def __init__(self, place: str, keep: int) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1, but is {keep!r}.")
        self._place, self._keep = place, keep

    def save(self, blob: bytes) -> Version:
        """Add a version and make it the current one; after an error the previous version stays current.

        Parameters
        ----------
        blob : bytes
            A saved model, from ``Bundle.to_bytes``.

        Returns
        -------
        Version
            The new version.

        Raises
        ------
        DataError
            If the place holds something else, or the model is too large for it.
        StoreError
            If the store cannot be reached, refuses the password or is full.
        """
        version = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{checksum(blob)[:16]}"
        with self._store_errors("the model was not saved, and the previous one is still current"):
            self._write(version, blob)
            self._switch(version)
            for old in self._list()[: -self._keep]:
                if not old.current:
                    self._delete(old.id)
        return Version(version, len(blob), current=True)

    def load(self, version: str | None = None) -> bytes:
        """Return the bytes of a version and verify their checksum.

        Parameters
        ----------
        version : str, optional
            Its id, by default that of the current version.

        Returns
        -------
        bytes
            The saved model, for ``Bundle.from_bytes``.

        Raises
        ------
        ModelNotFoundError
            If there is no such version, or Redis has let it expire or evicted it.
        BundleError
            If the bytes are not those that were saved.
        StoreError
            If the store cannot be reached or refuses the password.
        """
        with self._store_errors("no model was loaded"):
            chosen = version or self._current()
            blob = self._read(chosen) if chosen else None
        if not chosen:
            raise ModelNotFoundError(f"No model found in {self._place}.")
        if blob is None:
            gone = f"version {chosen} was deleted, expired or evicted; versions left: {self._listed()}"
            raise ModelNotFoundError(f"No model found in {self._place}: {gone}. Save it again or roll back.")
        if not chosen.endswith(checksum(blob)[:16]):
            raise BundleError(f"Version {chosen} in {self._place} is damaged, its checksum is wrong: roll back.")
        return blob

    def versions(self) -> list[Version]:
        """List the versions that exist.

        Returns
        -------
        list of Version
            The oldest first.
        """
        with self._store_errors("no version was listed"):
            return self._list()

    def rollback(self, version: str | None = None) -> Version:
        """Make another version the current one.

        Parameters
        ----------
        version : str, optional
            Its id, by default that of the version before the current one.

        Returns
        -------
        Version
            The version that is current now.

        Raises
        ------
        ModelNotFoundError
            If there is no such version.
        """
        versions = self.versions()
        older = list(itertools.takewhile(lambda one: not one.current, versions))
        chosen = older[-1:] if version is None else [one for one in versions if one.id == version]
        if not chosen:
            wanted = version or "before the current one"
            raise ModelNotFoundError(f"No version {wanted} in {self._place}; versions: {self._listed()}.")
        with self._store_errors("the current model is unchanged"):
            self._switch(chosen[0].id)
        return replace(chosen[0], current=True)

    def _listed(self) -> str:
        return ", ".join(one.id for one in self.versions()) or "none"

    # What a store must implement; `_switch` makes a version the current one in one atomic step.
    def _write(self, version: str, blob: bytes) -> None: ...
    def _read(self, version: str) -> bytes | None: ...
    def _delete(self, version: str) -> None: ...
    def _list(self) -> list[Version]: ...
    def _current(self) -> str | None: ...
    def _switch(self, version: str) -> None: ...
    def _store_errors(self, outcome: str) -> AbstractContextManager[None]: ...


class DiskStore(ModelStore):
    """Versions of a model as files of a folder; the link ``current.skol`` points to one of them.

    Parameters
    ----------
    path : path-like
        The folder. The ending ``.pkl`` is removed, because the first versions of `SkolClassifierV2` used it.
        A path that ``RNNSkolModel.save`` wrote can be loaded, but not saved to.
    keep : int, default=5
        How many versions to keep, at least 1; older ones are deleted.

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

    def __init__(self, path: str | os.PathLike[str], keep: int = 5) -> None:
        path = Path(path)
        self.path = path.with_suffix("") if path.suffix == ".pkl" else path
        super().__init__(str(self.path), keep)

    def load(self, version: str | None = None) -> bytes:  # noqa: D102  # the base class documents it
        if self.path.is_file():
            return self.path.read_bytes()
        if (self.path / "manifest.json").exists():
            return load_bundle(self.path).to_bytes()
        if not self.path.is_dir():
            raise ModelNotFoundError(f"Model directory not found: {self.path}.")
        return super().load(version)

    def _file(self, version: str) -> Path:
        if not _ID.fullmatch(version):
            raise ModelNotFoundError(f"{version!r} is not the id of a version.")
        return self.path / "versions" / f"{version}.skol"

    def _write(self, version: str, blob: bytes) -> None:
        if self.path.is_file() or (self.path / "manifest.json").exists():
            raise DataError(f"{self.path} is a single model, not a store of versions: choose another path.")
        write_atomically(self._file(version), blob)

    def _read(self, version: str) -> bytes | None:
        file = self._file(version)
        return file.read_bytes() if file.is_file() else None

    def _delete(self, version: str) -> None:
        self._file(version).unlink(missing_ok=True)

    def _list(self) -> list[Version]:
        current = self._current()
        files = sorted(self.path.glob("versions/*.skol"))
        return [Version(f.stem, f.stat().st_size, f.stem == current) for f in files if _ID.fullmatch(f.stem)]

    def _current(self) -> str | None:
        link = self.path / "current.skol"
        return Path(os.readlink(link)).stem if link.is_symlink() else None

    def _switch(self, version: str) -> None:
        fresh = self.path / f".{uuid.uuid4().hex}.tmp"
        os.symlink(f"versions/{version}.skol", fresh)
        os.replace(fresh, self.path / "current.skol")

    @contextmanager
    def _store_errors(self, outcome: str) -> Iterator[None]:
        try:
            yield
        except ModelNotFoundError:  # an OSError too
            raise
        except OSError as error:
            raise StoreError(f"{self.path} cannot be used ({error.strerror or error}); {outcome}.") from error


class RedisStore(ModelStore):
    """Versions of a model as Redis values: ``key:ID`` holds the bytes, ``key:versions`` the ids, ``key`` the current id.

    A version is written completely before one transaction makes it the current one. A save that is interrupted leaves
    the previous version current.

    Parameters
    ----------
    client : redis.Redis
        A client with ``decode_responses=False``; its TLS settings and password are used.
    key : str
        Such as ``skol:classifier:model:rnn_v1``.
    expire : int, optional
        Seconds until a version expires, at least 1; by default it never does.
    keep : int, default=5
        How many versions to keep, at least 1; older ones are deleted.
    limit : int, default=512 MiB
        Largest value of this server in bytes (its ``proto-max-bulk-len``).

    Examples
    --------
    >>> store = RedisStore(redis.Redis(), "skol:classifier:model:rnn_v1", expire=86400)  # doctest: +SKIP
    >>> store.save(model.bundle().to_bytes())  # doctest: +SKIP
    """

    def __init__(self, client: Any, key: str, expire: int | None = None, keep: int = 5, limit: int = 512 << 20) -> None:
        self._settings = getattr(getattr(client, "connection_pool", None), "connection_kwargs", {})
        if self._settings.get("decode_responses"):
            raise ValueError("The Redis client decodes responses: create it with decode_responses=False.")
        if expire is not None and expire < 1:
            raise ValueError(f"redis_expire must be at least 1 second, but is {expire!r}.")
        self.key, self._client, self._expire, self._limit = key, client, expire, limit
        super().__init__(f"Redis with key: {key}", keep)

    def _write(self, version: str, blob: bytes) -> None:
        if len(blob) > self._limit:
            sizes = f"The model has {len(blob):,} bytes and a Redis value at most {self._limit:,}"
            raise DataError(f"{sizes}: save it on disk, or train with a smaller ensemble_size or input_size.")
        self._current()  # refuses to replace a value of other software
        self._client.set(f"{self.key}:{version}", blob, ex=self._expire)

    def _read(self, version: str) -> bytes | None:
        return self._client.get(f"{self.key}:{version}")

    def _delete(self, version: str) -> None:
        self._client.delete(f"{self.key}:{version}")
        self._client.srem(f"{self.key}:versions", version)

    def _list(self) -> list[Version]:
        current = self._current()
        ids = sorted(name.decode() for name in self._client.smembers(f"{self.key}:versions"))
        found = [Version(one, self._client.strlen(f"{self.key}:{one}"), one == current) for one in ids]
        return [version for version in found if version.size]

    def _current(self) -> str | None:
        start: bytes = self._client.getrange(self.key, 0, 99)  # other software's value may be large
        if not start:
            return None
        if not _ID.fullmatch(start.decode("latin-1")):
            raise BundleError(f"Redis key {self.key} holds no model of skol_rnn: choose another key.")
        return start.decode()

    def _switch(self, version: str) -> None:
        transaction = self._client.pipeline(transaction=True)
        transaction.sadd(f"{self.key}:versions", version)
        if self._expire is not None:
            transaction.expire(f"{self.key}:versions", self._expire)
        transaction.set(self.key, version, ex=self._expire)
        transaction.execute()

    @contextmanager
    def _store_errors(self, outcome: str) -> Iterator[None]:
        try:
            import redis
        except ImportError as error:
            raise ImportError("The Redis client is not installed: pip install 'skol_rnn[redis]'.") from error
        where = "{host}:{port}".format_map({"host": "Redis", "port": "?"} | self._settings)
        try:
            yield
        except redis.exceptions.RedisError as error:
            problem = "failed"
            if isinstance(error, redis.exceptions.AuthenticationError):
                problem = "refuses the password"
            elif isinstance(error, redis.exceptions.ConnectionError):
                problem = "cannot be reached"
            elif "maxmemory" in str(error) or "used memory" in str(error):
                problem = "is full: raise maxmemory or delete old models"
            raise StoreError(f"Redis at {where} {problem} ({error}); {outcome}.") from error
