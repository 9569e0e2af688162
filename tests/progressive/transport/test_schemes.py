import pytest

from progressive import entry_points
from progressive.errors import UsageError
from progressive.transport import schemes
from progressive.transport.access import Access
from progressive.transport.mqtt.connection import KEEPALIVE_S
from progressive.transport.pauses import LONGEST_S
from progressive.transport.schemes import usual_silence_s
from sender.addresses import run_for
from sender.options import SenderOptions
from sender.remote import stream_photos
from sender.settings import SenderSettings


def test_over_mqtt_a_broker_that_is_away_is_not_yet_the_end() -> None:
    """It is noticed after one and a half keepalives, and another try made a pause later."""
    for url in ("mqtt://", "mqtts://broker.example/t"):
        assert usual_silence_s(url, Access()) > 1.5 * KEEPALIVE_S + LONGEST_S
    assert usual_silence_s("udp://0.0.0.0:9000", Access()) == 3.0
    with pytest.raises(UsageError, match="is not an address"):
        usual_silence_s("ftp://host", Access())


@pytest.fixture
def pigeons(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transport as another package would bring it."""
    installed = {"pigeon": "foreign_transport:PIGEON", "owl": "foreign_transport:open_loft", "gone": "nowhere:X"}
    for module in (schemes, entry_points):
        monkeypatch.setattr(module, "entry_points", lambda _group: installed)


@pytest.mark.usefixtures("pigeons")
async def test_a_transport_of_another_package_carries_datagrams_both_ways() -> None:
    loft = await schemes.open_receiver("pigeon://dovecote", Access(), print)
    hand = await schemes.open_sender("pigeon://dovecote", Access(), print)
    await hand.send(b"there")
    assert await loft.receive() == b"there"
    await loft.send(b"back")
    assert await hand.receive() == b"back"
    assert schemes.usual_silence_s("pigeon://dovecote", Access()) == 12.0


@pytest.mark.usefixtures("pigeons")
@pytest.mark.parametrize(
    ("url", "access", "says"),
    [
        ("crow://x", Access(), "write udp://HOST:PORT or .* or pigeon://"),
        ("pigeon://x", Access(inner_parity=4), "--inner-parity has no meaning for pigeon://"),
        ("owl://x", Access(), "foreign_transport:open_loft is no progressive.transport.schemes.Scheme"),
        ("gone://x", Access(), "cannot import nowhere:X"),
    ],
)
def test_what_is_wrong_with_an_address_of_another_package_is_told(url: str, access: Access, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        schemes.scheme_of(url, access)


@pytest.mark.usefixtures("pigeons")
def test_a_sender_goes_to_receivers_of_another_package() -> None:
    assert run_for(SenderOptions(None, "rmpgc", SenderSettings(1e5), to=("pigeon://a",))) is stream_photos
