"""Brokers for tests: mosquitto as it comes from Debian, and certificates for it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from progressive.transport.mqtt.broker import EmbeddedBroker

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (Debian: mosquitto)")
KINDS = [pytest.param("mosquitto", marks=needs_mosquitto), "embedded"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """A process; `start` again after `stop` as often as wanted."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *lines, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("mosquitto does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@asynccontextmanager
async def broker(kind: str, folder: Path) -> AsyncIterator[int]:
    """The port of a broker that lets everybody in."""
    if kind == "embedded":
        embedded = EmbeddedBroker()
        try:
            yield await embedded.start(0)
        finally:
            await embedded.stop()
        return
    mosquitto = Mosquitto(folder, "allow_anonymous true")
    await asyncio.to_thread(mosquitto.start)
    try:
        yield mosquitto.port
    finally:
        mosquitto.stop()


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority's, and a server's for 127.0.0.1 that it signed."""

    ca: Path
    server: Path
    key: Path

    def lines(self) -> list[str]:
        """For mosquitto."""
        return ["allow_anonymous true", f"cafile {self.ca}", f"certfile {self.server}", f"keyfile {self.key}"]


def make_certificates(folder: Path) -> Certificates:
    folder.mkdir(exist_ok=True)
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority, server = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("test authority", "test broker")
    )
    now = datetime.datetime.now(datetime.UTC)

    def signed(
        subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: tuple[x509.ExtensionType, bool]
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(ca_key, SHA256()).public_bytes(Encoding.PEM)

    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    files.ca.write_bytes(signed(authority, ca_key, (x509.BasicConstraints(ca=True, path_length=0), True)))
    files.server.write_bytes(signed(server, server_key, (address, False)))
    files.key.write_bytes(server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files
