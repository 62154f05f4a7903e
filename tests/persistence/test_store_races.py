"""Stores of models when saves, rollbacks and deletions meet, break off, or find something else under their keys."""

from __future__ import annotations

import os
import threading
import time

import pytest
from redis_server import PROGRAMS

from skol_rnn.errors import ModelNotFoundError, StoreError
from skol_rnn.persistence import store as store_module
from skol_rnn.persistence.store import DiskStore, RedisStore

KEY = "skol:classifier:model:rnn_v1.0"


@pytest.fixture(params=["disk", *PROGRAMS])
def new_store(request, start_redis, tmp_path):
    """Return a function that opens the same store again."""
    if request.param == "disk":
        return lambda **options: DiskStore(tmp_path / "rnn", **options)
    server = start_redis(request.param)
    return lambda **options: RedisStore(server.client(), KEY, **options)


def failing(*_):
    raise OSError(5, "Input/output error")


def test_a_save_whose_pruning_fails_is_saved(new_store, monkeypatch):
    store = new_store(keep=1)
    store.save(b"one")
    monkeypatch.setattr(store, "_delete", failing if isinstance(store, DiskStore) else lambda _: timeout())
    assert store.save(b"two").current
    monkeypatch.undo()
    assert store.load() == b"two" and len(store.versions()) == 2
    store.save(b"three")
    assert len(store.versions()) == 1


def test_a_switch_whose_answer_is_lost_is_a_save(new_store, monkeypatch):
    store = new_store()
    switch = store._switch

    def lost(version):
        switch(version)
        with store._store_errors(""):
            failing()

    monkeypatch.setattr(store, "_switch", lost if isinstance(store, DiskStore) else lambda v: (switch(v), timeout()))
    assert store.save(b"one").current and store.load() == b"one"


def timeout():
    import redis

    raise redis.exceptions.TimeoutError("Timeout reading from socket")


def test_a_switch_that_fails_leaves_the_older_model_and_no_other(new_store, monkeypatch):
    store = new_store()
    old = store.save(b"one")
    monkeypatch.setattr(store, "_switch", failing if isinstance(store, DiskStore) else lambda _: timeout())
    with pytest.raises(StoreError, match="was not saved, and the previous one is still current"):
        store.save(b"two")
    assert store.load() == b"one" and [one.id for one in store.versions()] == [old.id]


def test_if_the_outcome_of_a_switch_is_not_known_the_error_says_so(new_store, monkeypatch):
    store = new_store()
    store.save(b"one")
    fails = failing if isinstance(store, DiskStore) else lambda *_: timeout()
    current, calls = store._current, []

    def lost_later():
        calls.append(1)
        return current() if len(calls) < 2 and isinstance(store, RedisStore) else fails()

    monkeypatch.setattr(store, "_switch", fails)
    monkeypatch.setattr(store, "_current", lost_later)
    with pytest.raises(StoreError, match="not known whether the version is current: list the versions"):
        store.save(b"two")


def test_a_version_deleted_before_the_rollback_ends_is_no_current_one(new_store, monkeypatch):
    store = new_store()
    first, second = store.save(b"one"), store.save(b"two")
    listed = store.versions()
    store._delete(first.id)
    monkeypatch.setattr(store, "versions", lambda: listed)
    with pytest.raises(ModelNotFoundError, match=f"{first.id}.*deleted meanwhile; the current model is unchanged"):
        store.rollback()
    monkeypatch.undo()
    assert store.load() == b"two" and [one.id for one in store.versions()] == [second.id]


def test_the_current_version_is_never_deleted(new_store):
    store = new_store()
    only = store.save(b"one")
    store._delete(only.id)
    assert store.load() == b"one"


def test_a_reader_whose_version_is_replaced_and_deleted_reads_the_new_one(new_store, monkeypatch):
    store = new_store(keep=1)
    old = store.save(b"one").id
    new_store(keep=1).save(b"two")
    current, answers = store._current, iter([old])
    monkeypatch.setattr(store, "_current", lambda: next(answers, None) or current())
    assert store.load() == b"two"


def test_saves_rollbacks_and_readers_at_once(new_store):
    new_store().save(b"0")
    problems, end = [], time.monotonic() + 1.5

    def repeat(action):
        store = new_store(keep=2)
        number = 0
        while time.monotonic() < end:
            number += 1
            try:
                action(store, str(number).encode())
            except ModelNotFoundError as error:  # a version that another thread has deleted
                if action is reading:
                    problems.append(error)
            except Exception as error:
                problems.append(error)

    def reading(store, _):
        assert store.load().isdigit()
        assert all(one.size for one in store.versions())

    actions = [lambda store, blob: store.save(blob), lambda store, _: store.rollback(), reading, reading]
    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert new_store().load().isdigit()
    assert sum(one.current for one in new_store().versions()) == 1


def test_what_killed_saves_left_on_disk_is_removed(tmp_path):
    store = DiskStore(tmp_path / "rnn", keep=1)
    store.save(b"one")
    left = [tmp_path / "rnn" / ".a.tmp", tmp_path / "rnn" / "versions" / ".b.tmp"]
    for file in left:
        file.write_bytes(b"half")
        os.utime(file, (0, 0))
    (tmp_path / "rnn" / ".running.tmp").write_bytes(b"half")
    store.save(b"two")
    assert not any(file.exists() for file in left)
    assert (tmp_path / "rnn" / ".running.tmp").exists()


def test_a_saver_killed_before_the_switch_leaves_nothing_for_ever(server, monkeypatch):
    client = server.client()
    store = RedisStore(client, KEY)
    store._write("20260101T000000000000Z-0123456789abcdef", b"one")
    assert 0 < client.ttl(f"{KEY}:20260101T000000000000Z-0123456789abcdef") <= store_module._UNSWITCHED
    assert store.versions() == []
    kept = store.save(b"two").id
    assert client.ttl(f"{KEY}:{kept}") == -1


def test_an_expiry_given_later_is_that_of_all_versions(server):
    client = server.client()
    RedisStore(client, KEY).save(b"one")
    RedisStore(client, KEY, expire=100).save(b"two")
    assert all(0 < client.ttl(key) <= 100 for key in client.keys())
    RedisStore(client, KEY).save(b"three")
    assert {client.ttl(key) for key in client.keys()} == {-1}
    assert len(RedisStore(client, KEY).versions()) == 3


@pytest.mark.parametrize("key", [KEY, f"{KEY}:versions"])
def test_another_type_under_a_key_is_said_and_changes_nothing(server, key):
    client = server.client()
    store = RedisStore(client, KEY)
    if key != KEY:
        store.save(b"one")
        client.delete(key)
    client.lpush(key, "something else")
    before = client.get(KEY) if key != KEY else None
    with pytest.raises(StoreError, match="WRONGTYPE.*was not saved"):
        store.save(b"two")
    assert client.lrange(key, 0, -1) == [b"something else"]
    assert key == KEY or client.get(KEY) == before
    assert len(client.keys(f"{KEY}:2*")) == (key != KEY)
