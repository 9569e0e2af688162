from dataclasses import replace

import pytest

from progressive.errors import WireError
from progressive.transport.webrtc.description import MAX_CANDIDATES, MAX_PROBED, Description, parse_description

FINGERPRINT = ":".join(f"{byte:02X}" for byte in range(32))
CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 41852 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=candidate:3885250869 1 udp 2113937151 b1e1b6d1-54f3-4f05-9e9d-8b2b6a3cb2f2.local 41852 typ host generation 0
a=candidate:842163049 1 udp 1677729535 192.0.2.7 41852 typ srflx raddr 0.0.0.0 rport 0 generation 0
a=candidate:1 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active
a=candidate:2 2 udp 2113937151 192.0.2.2 41853 typ host
a=ice-ufrag:h1cV
a=ice-pwd:QRYZvqGIkTvzGzG+aS8Xn2Kj
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n")


def test_a_browsers_offer_is_understood() -> None:
    offer = parse_description(CHROMIUM)
    assert (offer.user, offer.password, offer.setup, offer.mid) == ("h1cV", "QRYZvqGIkTvzGzG+aS8Xn2Kj", "actpass", "0")
    assert offer.fingerprints == (f"sha-256 {FINGERPRINT}",)
    assert (offer.sctp_port, offer.max_message) == (5000, 262144)
    assert offer.candidates == ("842163049 1 udp 1677729535 192.0.2.7 41852 typ srflx",)
    assert [candidate.split()[4][-6:] for candidate in offer.hidden] == [".local"]


def test_what_is_written_anew_means_the_same_without_hidden_addresses() -> None:
    offer = parse_description(CHROMIUM)
    again = parse_description(offer.to_sdp())
    assert again.hidden == ()
    assert again.to_sdp() == offer.to_sdp()
    assert (again.user, again.fingerprints, again.candidates) == (offer.user, offer.fingerprints, offer.candidates)


def test_attributes_may_stand_before_the_section() -> None:
    line = f"a=fingerprint:SHA-256 {FINGERPRINT.lower()}\r\n"
    moved = CHROMIUM.replace(f"a=fingerprint:sha-256 {FINGERPRINT}\r\n", "").replace("t=0 0\r\n", f"t=0 0\r\n{line}")
    assert parse_description(moved).fingerprints == (f"sha-256 {FINGERPRINT}",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("v=0", "v=1", "does not begin with v=0"),
        ("m=application", "m=video", "one section, of an application"),
        ("a=mid:0", "a=mid:0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111", "one section"),
        ("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000", "one section"),
        ("a=ice-ufrag:h1cV", "a=ice-ufrag:h 1", "ice-ufrag is not well formed"),
        ("a=ice-ufrag:h1cV\r\n", "", "needs one ice-ufrag"),
        ("a=ice-pwd:QRYZvqGIkTvzGzG+aS8Xn2Kj", "a=ice-pwd:short", "ice-pwd is not well formed"),
        ("a=setup:actpass", "a=setup:holdconn", "setup is none of"),
        ("a=setup:actpass", "a=setup:active\r\na=setup:passive", "needs one setup"),
        (f"sha-256 {FINGERPRINT}", f"sha-1 {FINGERPRINT}", "no fingerprint"),
        (f"sha-256 {FINGERPRINT}", f"sha-256 {FINGERPRINT}:00", "no fingerprint"),
        ("a=sctp-port:5000", "a=sctp-port:0", "sctp-port is not a number of 1 to 65535"),
        ("a=sctp-port:5000", "a=sctp-port:²", "sctp-port is not a number"),
        ("a=max-message-size:262144", "a=max-message-size:-1", "max-message-size is not a number"),
        ("192.0.2.7", "example.org", "host is no address"),
        (" 41852 typ srflx", " 0 typ srflx", "candidate is not well formed"),
        ("a=candidate:842163049", "a=candidate:é", "candidate is not well formed"),
        ("a=mid:0", "a=mid:0\r\n" + "a=candidate:1 1 udp 1 192.0.2.2 9 typ host\r\n" * MAX_CANDIDATES, "candidates"),
        ("s=-", "s=" + "-" * 20_000, "over 16384 bytes"),
    ],
)
def test_another_offer_is_refused(old: str, new: str, says: str) -> None:
    assert CHROMIUM.count(old) >= 1
    with pytest.raises(WireError, match=says):
        parse_description(CHROMIUM.replace(old, new, 1))


@pytest.mark.parametrize("host", ["224.0.0.251", "0.0.0.0", "ff02::fb"])
def test_addresses_of_groups_are_left_out(host: str) -> None:
    assert parse_description(CHROMIUM.replace("192.0.2.7", host)).candidates == ()


def offer_at(*hosts: str) -> Description:
    offer = parse_description(CHROMIUM)
    candidates = tuple(f"1 1 udp 1 {host} {9000 + number} typ host" for number, host in enumerate(hosts))
    return replace(offer, candidates=candidates)


def hosts_of(offer: Description) -> list[str]:
    return [candidate.split()[4] for candidate in offer.candidates]


@pytest.mark.parametrize(
    ("remote", "hosts", "near"),
    [
        ("20.1.1.7", ["192.168.1.5", "30.1.1.9", "20.1.1.7"], ["20.1.1.7"]),
        ("192.168.1.20", ["192.168.1.20", "10.0.0.3", "30.1.1.9"], ["192.168.1.20", "10.0.0.3"]),
        ("127.0.0.1", ["127.0.0.1", "172.17.0.2"], ["127.0.0.1", "172.17.0.2"]),
        ("20.1.1.8", ["30.1.1.9"] * 32, ["20.1.1.8"]),
        ("10.1.1.1", [f"10.0.0.{number}" for number in range(32)], [f"10.0.0.{n}" for n in range(MAX_PROBED)]),
    ],
)
def test_nobody_chooses_whom_we_write_to(remote: str, hosts: list[str], near: list[str]) -> None:
    assert hosts_of(offer_at(*hosts).near(remote)) == near
    parse_description(offer_at(*hosts).near(remote).to_sdp())


def test_who_offers_no_address_has_none() -> None:
    assert offer_at().near("10.1.1.1").candidates == ()
