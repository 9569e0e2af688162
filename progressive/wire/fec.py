"""Systematic Reed-Solomon blocks across packets, by zfec: any k distinct packets of a block restore its k sources.

A source packet is sent unpadded and is useful the moment it arrives; a parity packet is as long as the longest source.
The code is always the one for 256 packets, so further parity can be made at any time and n may change while a stream is
sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import zfec

from progressive.errors import WireError
from progressive.wire.packet import MAX_INDEX, MAX_SOURCES

_PACKETS_OF_CODE = MAX_INDEX + 1


class BlockEncoder:
    """Makes any packet of one block from its source payloads."""

    def __init__(self, sources: Sequence[bytes]) -> None:
        """`sources`: 1..MAX_SOURCES payloads of any lengths."""
        if not 1 <= len(sources) <= MAX_SOURCES:
            raise ValueError(f"a block has 1..{MAX_SOURCES} sources, not {len(sources)}")
        self.k = len(sources)
        self._sources = tuple(sources)
        length = max(map(len, sources))
        self._padded = tuple(source.ljust(length, b"\0") for source in sources)

    def payload(self, index: int) -> bytes:
        """The payload of packet `index`, 0..255: a source below k, parity from k on."""
        return self._sources[index] if index < self.k else self.payloads([index])[0]

    def payloads(self, indices: Sequence[int]) -> list[bytes]:
        """Parity payloads for several indices in k..255, cheaper than one at a time."""
        return [bytes(parity) for parity in _encoder(self.k).encode(self._padded, tuple(indices))]


class BlockDecoder:
    """Collects the packets of one block until its sources are known; holds at most k of them."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.complete = False
        self._payloads: dict[int, bytes] = {}
        self._parity_length: int | None = None
        self._longest_source = 0

    @property
    def held_bytes(self) -> int:
        return sum(map(len, self._payloads.values()))

    def add(self, index: int, payload: bytes) -> dict[int, bytes]:
        """Takes one packet.

        Returns:
            The sources that became known by erasure decoding, by index, zero-padded to the length of the longest one;
            empty until k packets of which one is parity are there. The packet's own payload is not among them.

        Raises:
            WireError: the packet contradicts the ones before; it is not taken.
        """
        if self.complete or index in self._payloads:
            return {}
        self._check_length(index, len(payload))
        self._payloads[index] = payload
        if len(self._payloads) < self.k:
            return {}
        restored = self._decode()
        self.complete = True
        self._payloads.clear()
        return restored

    def _check_length(self, index: int, length: int) -> None:
        if index < self.k:
            if self._parity_length is not None and length > self._parity_length:
                raise WireError(f"source of {length} bytes in a block with parity of {self._parity_length}")
            self._longest_source = max(self._longest_source, length)
        else:
            if length < self._longest_source or self._parity_length not in (None, length):
                raise WireError(f"parity of {length} bytes contradicts the other packets of its block")
            self._parity_length = length

    def _decode(self) -> dict[int, bytes]:
        missing = [index for index in range(self.k) if index not in self._payloads]
        if not missing:
            return {}
        parity = iter([index for index in self._payloads if index >= self.k])
        # zfec moves sources to their own places inside the sequence it is given: hand it one that is in order already.
        indices = tuple(index if index in self._payloads else next(parity) for index in range(self.k))
        length = self._parity_length or 0
        padded = tuple(self._payloads[index].ljust(length, b"\0") for index in indices)
        sources = _decoder(self.k).decode(padded, indices)
        return {index: bytes(sources[index]) for index in missing}


@lru_cache(maxsize=MAX_SOURCES)
def _encoder(k: int) -> zfec.Encoder:
    return zfec.Encoder(k, _PACKETS_OF_CODE)


@lru_cache(maxsize=MAX_SOURCES)
def _decoder(k: int) -> zfec.Decoder:
    return zfec.Decoder(k, _PACKETS_OF_CODE)
