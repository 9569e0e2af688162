import pytest

from progressive.errors import UsageError
from progressive.transport.mqtt.address import DEFAULT_TOPIC, MqttAddress, parse_mqtt_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://", MqttAddress("", 1883)),
        ("mqtt:///cam/1", MqttAddress("", 1883, "cam/1")),
        ("mqtt://:1884/cam", MqttAddress("", 1884, "cam")),
        ("mqtt://broker.example", MqttAddress("broker.example", 1883, DEFAULT_TOPIC)),
        ("mqtt://me@broker.example:99/a/b/", MqttAddress("broker.example", 99, "a/b", "me")),
        ("mqtt://a%40b@[::1]/t%20x", MqttAddress("::1", 1883, "t x", "a@b")),
        ("mqtts://broker.example/t", MqttAddress("broker.example", 8883, "t", tls=True)),
    ],
)
def test_addresses(url: str, address: MqttAddress) -> None:
    assert parse_mqtt_url(url) == address


def test_an_address_prints_as_where_it_is() -> None:
    assert str(parse_mqtt_url("mqtts://me@[::1]:5/t")) == "mqtts://me@[::1]:5/t"
    assert str(parse_mqtt_url("mqtt://")) == f"mqtt://127.0.0.1:1883/{DEFAULT_TOPIC}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("udp://h:1", "not an MQTT address"),
        ("mqtt://h:99999/t", "port of 0 to 65535"),
        ("mqtt://h:0/t", "names port 0"),
        ("mqtt://h/t?x=1", "not an MQTT address"),
        ("mqtts://", "names no broker"),
        ("mqtt://me@/t", "names no broker"),
        ("mqtt://h/a/%23", r"leave out \+, #"),
        ("mqtt://h/a+b", r"leave out \+, #"),
        ("mqtt://h/$SYS", "a \\$ at its beginning"),
        ("mqtt://h/" + "t" * 201, "200 or fewer"),
    ],
)
def test_anything_else_is_refused(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_mqtt_url(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="--password-file or the variable PROGRESSIVE_MQTT_PASSWORD") as refusal:
        parse_mqtt_url("mqtt://me:topsecret@h/t")
    assert "topsecret" not in str(refusal.value)
