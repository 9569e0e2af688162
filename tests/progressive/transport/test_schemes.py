import pytest

from progressive.errors import UsageError
from progressive.transport.access import Access
from progressive.transport.mqtt.connection import KEEPALIVE_S
from progressive.transport.pauses import LONGEST_S
from progressive.transport.schemes import usual_silence_s


def test_over_mqtt_a_broker_that_is_away_is_not_yet_the_end() -> None:
    """It is noticed after one and a half keepalives, and another try made a pause later."""
    for url in ("mqtt://", "mqtts://broker.example/t"):
        assert usual_silence_s(url, Access()) > 1.5 * KEEPALIVE_S + LONGEST_S
    assert usual_silence_s("udp://0.0.0.0:9000", Access()) == 3.0
    with pytest.raises(UsageError, match="is not an address"):
        usual_silence_s("ftp://host", Access())
