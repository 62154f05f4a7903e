"""Models on disk and in a real Redis: each save adds a version, and the switch to it is atomic."""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile

import pytest
from redis_server import PROGRAMS
from toy import LABELS

from skol_rnn.errors import BundleError, DataError, ModelNotFoundError, StoreError
from skol_rnn.model import RNNSkolModel
from skol_rnn.persistence.bundle import Bundle, load_bundle
from skol_rnn.persistence.store import DiskStore, RedisStore

KEY = "skol:classifier:model:rnn_v1.0"


@pytest.fixture(scope="session")
def blob(tiny_bundle):
    return load_bundle(tiny_bundle).to_bytes()


def padded(blob, size, fill):
    """Make a larger model that still loads: the reader takes the files it knows and no others."""
    buffer = io.BytesIO(blob)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("padding", fill * size)
    return buffer.getvalue()


@pytest.fixture(params=["disk", *PROGRAMS])
def store(request, start_redis, tmp_path):
    if request.param == "disk":
        return DiskStore(tmp_path / "models" / "rnn.v1", keep=3)
    return RedisStore(start_redis(request.param).client(), KEY, keep=3)


def test_each_save_is_a_version_and_the_last_one_current(store, blob):
    first, second = store.save(blob), store.save(blob + b"\n")
    assert first.id < second.id
    assert [(v.id, v.current) for v in store.versions()] == [(first.id, False), (second.id, True)]
    assert store.load() == blob + b"\n" and store.load(first.id) == blob
    assert Bundle.from_bytes(store.load(first.id)).files() == Bundle.from_bytes(blob).files()


def test_rollback_goes_back_one_or_to_a_version(store, blob):
    ids = [store.save(blob + bytes([i])).id for i in range(3)]
    assert store.rollback().id == ids[1] and store.load() == blob + b"\1"
    assert store.rollback().id == ids[0]
    with pytest.raises(ModelNotFoundError, match="No version before the current one"):
        store.rollback()
    assert store.rollback(ids[2]).current and store.load() == blob + b"\2"
    with pytest.raises(ModelNotFoundError, match=f"No version nothing in .*{ids[0]}"):
        store.rollback("nothing")


def test_old_versions_go_but_never_the_current_one(store, blob):
    ids = [store.save(blob + bytes([i])).id for i in range(5)]
    assert [v.id for v in store.versions()] == ids[-3:]
    with pytest.raises(ModelNotFoundError):
        store.load(ids[0])


def test_an_empty_store_has_no_model(store):
    with pytest.raises(ModelNotFoundError, match="Model directory not found|No model found in Redis with key: skol:"):
        store.load()
    assert store.versions() == []


def test_a_path_keeps_its_ending_unless_it_is_pkl(tmp_path):
    assert DiskStore(tmp_path / "rnn.v2").path.name == "rnn.v2"
    assert DiskStore(tmp_path / "rnn.pkl").path.name == "rnn"


def test_the_current_link_is_a_model_for_every_reader(tmp_path, blob):
    store = DiskStore(tmp_path / "rnn")
    store.save(blob)
    assert RNNSkolModel().load(tmp_path / "rnn" / "current.skol").labels_ == sorted(LABELS)


def test_a_plain_model_is_loaded_and_never_written_to(tmp_path, blob):
    for name in ("model", "model.skol"):
        RNNSkolModel().set_bundle(Bundle.from_bytes(blob)).save(tmp_path / name)
        store = DiskStore(tmp_path / name)
        assert Bundle.from_bytes(store.load()).state == Bundle.from_bytes(blob).state
        with pytest.raises(DataError, match="not a store of versions"):
            store.save(blob)


@pytest.mark.parametrize("stage", ["fsync", "symlink", "replace"])
def test_a_save_on_disk_that_breaks_off_leaves_the_old_model(tmp_path, blob, monkeypatch, stage):
    store = DiskStore(tmp_path / "rnn")
    store.save(blob)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, stage, full)
    with pytest.raises(StoreError, match="No space left"):
        store.save(blob + b"new")
    monkeypatch.undo()
    assert store.load() == blob


def test_changed_bytes_on_disk_are_refused(tmp_path, blob):
    store = DiskStore(tmp_path / "rnn")
    name = store.save(blob).id
    (tmp_path / "rnn" / "versions" / f"{name}.skol").write_bytes(blob[:-1] + b"x")
    with pytest.raises(BundleError, match="checksum is wrong"):
        store.load()


def test_keys_are_named_as_before_and_expire_together(server, blob):
    client = server.client()
    name = RedisStore(client, KEY, expire=100).save(blob).id
    assert client.get(KEY).decode() == name
    assert sorted(client.keys()) == sorted(k.encode() for k in (KEY, f"{KEY}:{name}", f"{KEY}:versions"))
    assert all(90 < client.ttl(key) <= 100 for key in client.keys())
    assert client.get(f"{KEY}:{name}") == blob


def test_a_model_expires(server, blob):
    store = RedisStore(server.client(), KEY, expire=1)
    store.save(blob)
    time.sleep(1.2)
    with pytest.raises(ModelNotFoundError, match="No model found in Redis"):
        store.load()


def test_redis_killed_at_twenty_moments_of_a_save_never_leaves_a_broken_model(server, blob):
    size = 6_000_000
    start = time.perf_counter()
    RedisStore(server.client(), KEY, keep=2).save(current := padded(blob, size, "a"))
    duration = time.perf_counter() - start
    outcomes = []
    for moment in range(20):
        fresh = padded(blob, size, "bcdefghijklmnopqrstu"[moment])
        killer = threading.Timer(duration * 1.2 * moment / 19, server.kill)
        store = RedisStore(server.client(), KEY, keep=2)
        killer.start()
        try:
            store.save(fresh)
            outcomes.append("saved")
            expected = (fresh,)
        except StoreError as error:
            assert "cannot be reached" in str(error)
            outcomes.append("broken off")
            # An answer may be lost although the switch is done; then the new one is current, and whole.
            expected = (current, fresh)
        killer.join()
        server.start()
        current = RedisStore(server.client(), KEY).load()
        assert current in expected
        Bundle.from_bytes(current)
    assert outcomes[0] == "broken off"


def test_a_server_that_is_down_is_reported(server):
    store = RedisStore(server.client(), KEY)
    server.kill()
    with pytest.raises(StoreError, match=rf"localhost:{server.port} cannot be reached"):
        store.load()
    server.start()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_password_is_needed_and_used(start_redis, program, blob):
    server = start_redis(program, password="secret")
    RedisStore(server.client(), KEY).save(blob)
    assert RedisStore(server.client(), KEY).load() == blob
    for wrong in ("wrong", None):
        with pytest.raises(StoreError, match="refuses the password.*still current"):
            RedisStore(server.client(password=wrong), KEY).save(blob + b"new")
    assert RedisStore(server.client(), KEY).load() == blob


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_callers_client_brings_tls(start_redis, program, blob):
    import ssl

    import redis

    server = start_redis(program, password="secret", tls=True)
    RedisStore(server.client(), KEY).save(blob)
    assert RedisStore(server.client(), KEY).load() == blob
    plain = redis.Redis(port=server.port, password="secret", retry=None)
    stranger = server.client(ssl_ca_certs=ssl.get_default_verify_paths().cafile)
    for wrong in (plain, stranger):
        with pytest.raises(StoreError, match="cannot be reached.*no model was loaded"):
            RedisStore(wrong, KEY).load()


def test_a_full_redis_keeps_the_old_model(server, blob):
    client = server.client()
    RedisStore(client, KEY).save(blob)
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 1000)
    client.config_set("maxmemory-policy", "noeviction")
    with pytest.raises(StoreError, match="is full: .*still current"):
        for i in range(20):
            RedisStore(client, KEY).save(padded(blob, 1_000_000, str(i)))
    client.config_set("maxmemory", 0)
    assert Bundle.from_bytes(RedisStore(client, KEY).load()).state == Bundle.from_bytes(blob).state


def test_an_evicted_version_is_reported_and_the_other_one_loads(server, blob):
    client = server.client()
    store = RedisStore(client, KEY)
    old, new = store.save(blob), store.save(padded(blob, 1_000_000, "x"))
    # The only key that may go, and too little room until it is gone.
    client.expire(f"{KEY}:{new.id}", 1000)
    client.config_set("maxmemory-policy", "volatile-lru")
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 500_000)
    client.set("other", "value")
    assert client.info("stats")["evicted_keys"] == 1
    client.config_set("maxmemory", 0)
    with pytest.raises(ModelNotFoundError, match=f"evicted.*versions left: {old.id}"):
        store.load()
    assert [v.id for v in store.versions()] == [old.id]
    assert store.rollback(old.id).current and store.load() == blob


def test_changed_bytes_and_foreign_values_are_refused(server, blob):
    client = server.client()
    store = RedisStore(client, KEY)
    client.set(f"{KEY}:{store.save(blob).id}", blob[:-1] + b"x")
    with pytest.raises(BundleError, match="checksum is wrong"):
        store.load()
    client.set(KEY, b"\x1f\x8b" + b"an archive of the old class" * 10)
    for use in (store.load, lambda: store.save(blob)):
        with pytest.raises(BundleError, match="no model of skol_rnn"):
            use()


def test_a_model_too_large_for_a_value_is_refused(server, blob):
    with pytest.raises(DataError, match="a Redis value at most 1,000: save it on disk"):
        RedisStore(server.client(), KEY, limit=1000).save(blob)


def test_a_client_that_decodes_is_refused(server):
    with pytest.raises(ValueError, match="decode_responses=False"):
        RedisStore(server.client(decode_responses=True), KEY)
