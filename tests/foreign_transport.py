"""A transport as another package would bring it: pigeons between a loft and a hand, in one process."""

from progressive.transport.access import Access
from progressive.transport.base import Transport
from progressive.transport.memory import MemoryTransport, memory_pair
from progressive.transport.schemes import Say, Scheme

LOFTS: dict[str, MemoryTransport] = {}


async def open_loft(url: str, access: Access, say: Say) -> MemoryTransport:
    loft, LOFTS[url] = memory_pair()
    return loft


async def take_pigeon(url: str, access: Access, say: Say) -> Transport:
    return LOFTS[url]


PIGEON = Scheme(
    "pigeon://LOFT", opener="foreign_transport:open_loft", connector="foreign_transport:take_pigeon", silence_s=12.0
)
