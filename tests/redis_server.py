"""A real Redis or Valkey server on a free port, that a test can kill and start again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest

PROGRAMS = [pytest.param(name, marks=pytest.mark.redis) for name in ("redis-server", "valkey-server")]
"""Servers for tests of both; what is not installed is skipped by the fixture ``start_redis``."""


class RedisServer:
    """A server whose every write is on disk before it is answered, so that a kill is a fair test."""

    def __init__(self, folder, password=None, tls=False, program="redis-server"):
        name, program = program, shutil.which(program)
        if program is None:
            if name != "redis-server":
                pytest.skip(f"{name} is not installed")
            pytest.fail(f"{name} is not installed: make test-scale installs redis-server")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.options = {"password": password}
        self._command = [program, "--dir", str(folder), "--bind", "127.0.0.1"]
        self._command += ["--port", "0", *self._tls(folder)] if tls else ["--port", str(self.port)]
        self._command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        if password:
            self._command += ["--requirepass", password]
        self.start()

    def _tls(self, folder):
        """Certify the server, tell clients whom to trust, and return the server's options."""
        import trustme

        authority, key, chain = trustme.CA(), folder / "server.key", folder / "server.pem"
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(key)
        for part in certificate.cert_chain_pems:
            part.write_to_path(chain, append=True)
        trusted = str(folder / "authority.pem")
        authority.cert_pem.write_to_path(trusted)
        self.options |= {"ssl": True, "ssl_ca_certs": trusted}
        files = ["--tls-key-file", str(key), "--tls-cert-file", str(chain), "--tls-ca-cert-file", trusted]
        return ["--tls-port", str(self.port), "--tls-auth-clients", "no", *files]

    def start(self):
        import redis

        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                if self.client().ping():
                    return
            except redis.exceptions.ConnectionError:  # not there yet, or still loading its file
                time.sleep(0.05)
        raise RuntimeError(f"{self._command[0]} did not start")

    def kill(self):
        self._process.kill()
        self._process.wait()

    def client(self, **options):
        import redis

        return redis.Redis(port=self.port, **{**self.options, "retry": None, **options})
