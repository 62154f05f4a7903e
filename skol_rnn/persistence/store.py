"""Stores of saved models: versions of one model's bytes on disk or in Redis, one of which is the current one."""

from __future__ import annotations

import itertools
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from skol_rnn.errors import BundleError, DataError, ModelNotFoundError, StoreError
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import checksum, load_bytes

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}")


_STALE = 3600.0  # seconds after which a temporary file is what a killed save left
_UNSWITCHED = 3600  # seconds for which Redis keeps a version that never became the current one

# Redis runs a script as one step; KEYS are the key and that of the ids, ARGV is the id and the seconds, 0 for no expiry.
_SWITCH = """
if redis.call("EXISTS", KEYS[1] .. ":" .. ARGV[1]) == 0 then return 0 end
redis.call("SADD", KEYS[2], ARGV[1])
redis.call("SET", KEYS[1], ARGV[1])
local all = {KEYS[1], KEYS[2]}
for _, id in ipairs(redis.call("SMEMBERS", KEYS[2])) do table.insert(all, KEYS[1] .. ":" .. id) end
for _, key in ipairs(all) do
  if ARGV[2] == "0" then redis.call("PERSIST", key) else redis.call("EXPIRE", key, ARGV[2]) end
end
return 1
"""
_DELETE = """
if redis.call("GET", KEYS[1]) == ARGV[1] then return 0 end
redis.call("DEL", KEYS[1] .. ":" .. ARGV[1])
return redis.call("SREM", KEYS[2], ARGV[1])
"""


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
        unsaved = "the model was not saved, and the previous one is still current"
        with self._store_errors(unsaved):
            self._write(version, blob)
        try:
            self._make_current(version, unsaved)
        except StoreError:
            with suppress(StoreError), self._store_errors(""):
                self._delete(version)
            raise
        # The model is saved: versions that cannot be deleted now are deleted after the next save.
        with suppress(StoreError), self._store_errors(""):
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
            while blob is None and version is None and chosen != (now := self._current()):
                chosen, blob = now, self._read(now) if now else None  # replaced and deleted meanwhile
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
        self._make_current(chosen[0].id, "the current model is unchanged")
        return replace(chosen[0], current=True)

    def _make_current(self, version: str, outcome: str) -> None:
        """Switch; after an error look whether it has happened, for its answer may be what was lost."""
        try:
            with self._store_errors(outcome):
                if not self._switch(version):
                    raise ModelNotFoundError(f"Version {version} in {self._place} was deleted meanwhile; {outcome}.")
        except StoreError:
            with self._store_errors("it is not known whether the version is current: list the versions"):
                if self._current() != version:
                    raise

    def _listed(self) -> str:
        return ", ".join(one.id for one in self.versions()) or "none"

    # What a store must implement. `_switch` makes a version that exists the current one in one atomic step and says whether
    # it did; `_delete` deletes no current version.
    def _write(self, version: str, blob: bytes) -> None: ...
    def _read(self, version: str) -> bytes | None: ...
    def _delete(self, version: str) -> None: ...
    def _list(self) -> list[Version]: ...
    def _current(self) -> str | None: ...
    def _switch(self, version: str) -> bool: ...
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
            with self._store_errors("no model was loaded"):
                return self.path.read_bytes()
        if (self.path / "manifest.json").exists():
            return load_bytes(self.path)
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
        try:
            return self._file(version).read_bytes()
        except FileNotFoundError:
            return None

    def _delete(self, version: str) -> None:
        with self._locked():
            if version != self._current():
                self._file(version).unlink(missing_ok=True)
        for left in [*self.path.glob(".*.tmp"), *self.path.glob("versions/.*.tmp")]:  # of killed saves
            with suppress(FileNotFoundError):
                if time.time() - left.lstat().st_mtime > _STALE:
                    left.unlink()

    def _list(self) -> list[Version]:
        current, found = self._current(), []
        for file in sorted(self.path.glob("versions/*.skol")):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if _ID.fullmatch(file.stem):
                    found.append(Version(file.stem, file.stat().st_size, file.stem == current))
        return found

    def _current(self) -> str | None:
        try:
            return Path(os.readlink(self.path / "current.skol")).stem
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _switch(self, version: str) -> bool:
        fresh = self.path / f".{uuid.uuid4().hex}.tmp"
        with self._locked():
            if not self._file(version).is_file():
                return False
            try:
                os.symlink(f"versions/{version}.skol", fresh)
                os.replace(fresh, self.path / "current.skol")
            finally:
                fresh.unlink(missing_ok=True)
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from switching and deleting; Windows has no such lock."""
        if fcntl is None:
            yield
            return
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    @contextmanager
    def _store_errors(self, outcome: str) -> Iterator[None]:
        try:
            yield
        except (ModelNotFoundError, StoreError):  # OSErrors too
            raise
        except OSError as error:
            raise StoreError(f"{self.path} cannot be used ({error.strerror or error}); {outcome}.") from error


class RedisStore(ModelStore):
    """Versions of a model as Redis values: ``key:ID`` holds the bytes, ``key:versions`` the ids, ``key`` the current id.

    A version is written completely before one script makes it the current one. A save that is interrupted leaves the
    previous version current. All versions expire together, counted from the last save or rollback.

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
        # If the saver is killed before the switch, nobody else would delete the value.
        self._client.set(f"{self.key}:{version}", blob, ex=min(self._expire or _UNSWITCHED, _UNSWITCHED))

    def _read(self, version: str) -> bytes | None:
        return self._client.get(f"{self.key}:{version}")

    def _delete(self, version: str) -> None:
        self._client.eval(_DELETE, 2, self.key, f"{self.key}:versions", version)

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

    def _switch(self, version: str) -> bool:
        return bool(self._client.eval(_SWITCH, 2, self.key, f"{self.key}:versions", version, self._expire or 0))

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
