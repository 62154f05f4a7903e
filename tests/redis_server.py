"""A real redis-server on a free port, that a test can kill and start again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest
import redis


class RedisServer:
    """A server whose every write is on disk before it is answered, so that a kill is a fair test."""

    def __init__(self, folder, password=None):
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("redis-server is not installed: make test-scale installs it")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.password = password
        self._command = [program, "--port", str(self.port), "--dir", str(folder), "--bind", "127.0.0.1"]
        self._command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        if password:
            self._command += ["--requirepass", password]
        self.start()

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                if self.client().ping():
                    return
            except redis.exceptions.ConnectionError:  # not there yet, or still loading its file
                time.sleep(0.05)
        raise RuntimeError("redis-server did not start")

    def kill(self):
        self._process.kill()
        self._process.wait()

    def client(self, **options):
        return redis.Redis(port=self.port, **{"password": self.password, "retry": None} | options)
