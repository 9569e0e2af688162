"""What a broker is shown: a password, which never is an argument, and how its own certificate is checked."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from progressive.errors import UsageError
from progressive.files import read_bytes, reason
from progressive.transport.access import Access
from progressive.transport.mqtt.address import MqttAddress

PASSWORD_VARIABLE = "PROGRESSIVE_MQTT_PASSWORD"  # noqa: S105, the name of a variable
MAX_PASSWORD = 4096


@dataclass(frozen=True, slots=True)
class Login:
    """What a broker is shown.

    Fields:
        password: of the user of the address; None for none.
        tls: how to check the broker's certificate; None without encryption.
    """

    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None


def login_for(address: MqttAddress, access: Access) -> Login:
    """What to show this broker; raises UsageError if a file cannot be read, or without a user for the password."""
    password = os.environ.get(PASSWORD_VARIABLE) if address.user is not None else None
    if access.password_file is not None:
        if address.user is None:
            raise UsageError("--password-file needs a user: write mqtt://USER@HOST/TOPIC")
        password = read_bytes(access.password_file, limit=MAX_PASSWORD).decode("utf-8", "replace").rstrip("\r\n")
        if not password:
            raise UsageError(f"{access.password_file} is empty: write the password into it")
    if not address.tls:
        if access.ca_file is not None:
            raise UsageError("--ca-file is for encrypted connections: write mqtts:// in place of mqtt://")
        return Login(password, None)
    return Login(password, _tls(access.ca_file))


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise UsageError(f"{ca_file} holds no certificates: --ca-file takes them as PEM") from None
    except OSError as error:
        raise UsageError(f"cannot read {ca_file}: {reason(error)}") from None
