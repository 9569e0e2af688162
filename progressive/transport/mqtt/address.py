"""Where a stream is on a broker."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from progressive.errors import UsageError

DEFAULT_TOPIC = "progressive/default"
LOOPBACK = "127.0.0.1"
PORTS = {"mqtt": 1883, "mqtts": 8883}
MAX_TOPIC = 200
"""Bytes of a topic, which every packet carries."""

FORM = "mqtt://[USER@HOST[:PORT]][/TOPIC]"


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A topic on a broker; prints as a URL.

    Fields:
        host: of the broker; empty for the one that a sender runs itself, on this machine.
        port: of the broker.
        topic: under which the stream's topics are.
        user: to log in as; None for nobody.
        tls: the connection is encrypted, and the broker shows a certificate.
    """

    host: str
    port: int
    topic: str = DEFAULT_TOPIC
    user: str | None = None
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = "" if self.user is None else f"{self.user}@"
        return f"mqtt{'s' * self.tls}://{user}{host or LOOPBACK}:{self.port}/{self.topic}"


def parse_mqtt_url(url: str) -> MqttAddress:
    """Parses `mqtt://[USER@HOST[:PORT]][/TOPIC]` or the same with `mqtts`; raises UsageError for anything else."""
    form = f"write {FORM}, such as mqtt://broker.example/{DEFAULT_TOPIC}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(f"this is not an MQTT address: {form}, with a port of 0 to 65535") from None
    if parts.password is not None:
        raise UsageError(
            "a password in an address can be seen by everybody on this machine: leave it out, and put it into a "
            "--password-file or the variable PROGRESSIVE_MQTT_PASSWORD"
        )
    if parts.scheme not in PORTS or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not an MQTT address: {form}")
    if not host and (parts.username is not None or parts.scheme == "mqtts"):
        raise UsageError(f"{url!r} names no broker: {form}")
    if host and port == 0:
        raise UsageError(f"{url!r} names port 0, where no broker is: {form}")
    topic = unquote(parts.path).strip("/") or DEFAULT_TOPIC
    _check_topic(topic)
    user = None if parts.username is None else unquote(parts.username)
    tls = parts.scheme == "mqtts"
    return MqttAddress(host, PORTS[parts.scheme] if port is None else port, topic, user, tls)


def _check_topic(topic: str) -> None:
    if topic.startswith("$") or any(character in topic for character in "+#\0"):
        raise UsageError(f"{topic!r} is not a topic to publish under: leave out +, # and a $ at its beginning")
    if len(topic.encode()) > MAX_TOPIC:
        raise UsageError(f"a topic of {len(topic.encode())} bytes would be in every packet: use {MAX_TOPIC} or fewer")
