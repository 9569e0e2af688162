"""Where a run of the sender goes to, by the scheme of its addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from progressive.entry_points import imported
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.shell.display import Display
from progressive.transport.schemes import kind_of, scheme_of
from progressive.wire.protection import DESIGN_LOSS
from sender.options import SenderOptions

Run = Callable[[SenderOptions, Display], Awaitable[None]]

TO_RECEIVERS = "sender.remote:stream_photos"
"""What streams to receivers at addresses, of this project's schemes and of other packages'."""

RUNS = {
    "udp": TO_RECEIVERS,
    "webrtc": "sender.serving:serve_photos",
    "mqtt": "sender.publishing:publish_photos",
    "mqtts": "sender.publishing:publish_photos",
}
"""What streams to addresses of a scheme, `module:function` of a `Run`, imported when it is first used."""

SERVING = frozenset({"webrtc", "mqtt", "mqtts"})
"""The schemes of senders that serve whoever comes, until they are stopped."""


RELIABLE = frozenset({"mqtt", "mqtts"})
"""The schemes of transports that lose next to nothing by themselves."""


def losses_to_expect(to: Sequence[str]) -> LossModel:
    """What to plan for until receivers at these addresses report, unless told otherwise."""
    return LossModel(0.01) if {url.partition("://")[0] for url in to} <= RELIABLE and to else DESIGN_LOSS


def run_for(options: SenderOptions) -> Run:
    """What does this run; raises UsageError if its addresses are wrong or do not go together."""
    schemes = {scheme_of(url, options.access) for url in options.to}
    if len(schemes) > 1:
        raise UsageError(f"addresses of one kind at a time, not {' and '.join(sorted(schemes))}: run a sender for each")
    scheme = schemes.pop()
    if scheme in SERVING and len(options.to) > 1:
        raise UsageError(f"a {scheme}:// sender serves at one address: give --to once")
    if scheme not in SERVING and options.serve_for_s is not None:
        raise UsageError(f"--serve-for has no meaning for {scheme}:// receivers: leave it out")
    kind = kind_of(scheme)
    if scheme not in RUNS and not (kind and kind.connector):
        raise UsageError(f"nothing sends to {scheme}:// addresses: receive from them, or send to others")
    run: Run = imported(RUNS.get(scheme, TO_RECEIVERS))
    return run
