"""The project's own codecs: streams of which any dependency-closed part shows a picture, coded once, cut anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.cache import Arrays, cached, digest_of
from experiments.material import Material, Pieces, even_steps
from experiments.sources.decode_times import decode_seconds
from experiments.sources.measure import squared_error
from progressive import metrics
from progressive.codec import Photo, ProgressiveCodec
from progressive.contexts import context_for
from progressive.packing.packed import PackedStream
from progressive.packing.packetizer import SourceBlock, max_segment_payload, shapes_of
from progressive.registry import CODECS, load_codec, short_spec
from progressive.runtime.threads import one_thread
from progressive.stream import LayeredStream
from progressive.wire.packet import OVERHEAD

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

CONTEXT = "reconstruct"
"""What packets are ordered for, where a codec has contexts: experiments measure squared error."""

GREY = 128
"""What is assumed to be seen as long as nothing has come, not even the header."""

FIRST_LOOKS = 12
MOST_LOOKS = 36
"""Real pictures are made of so many first packets one by one, and of so many in all, ever farther apart; between two
of them distortion and MS-SSIM fall and rise as the utilities of the segments do."""


@dataclass(frozen=True)
class PackedPhoto:
    """A coded photo as the sender packs it."""

    codec: ProgressiveCodec
    stream: LayeredStream
    blocks: tuple[SourceBlock, ...]

    @classmethod
    def of(cls, codec: ProgressiveCodec, photo: Photo, packet_size: int) -> PackedPhoto:
        context = context_for(codec, None, default=CONTEXT)
        with one_thread():
            stream = codec.encode(photo, max_payload=max_segment_payload(packet_size), context=context)
        packed = PackedStream.of(stream, packet_size - OVERHEAD)
        return cls(codec, packed.stream, packed.blocks)

    @property
    def packets(self) -> list[tuple[int, ...]]:
        """Ids of the segments in each source packet."""
        return [packet.segments for block in self.blocks for packet in block.packets]

    def pictures(self, receptions: NDArray[np.bool_]) -> Iterator[Photo]:
        """The real pictures as more and more packets are there, [looks, S]."""
        payload = {segment.id: segment.payload for segment in self.stream.segments}
        decoder = self.codec.decoder(self.stream.header)
        before = np.zeros(len(self.packets), dtype=np.bool_)
        for there in receptions:
            for packet in np.flatnonzero(there & ~before):
                for i in self.packets[packet]:
                    decoder.push(i, payload[i])
            before = there
            yield decoder.picture()


@dataclass(frozen=True)
class LayeredSource:
    """A codec of the registry.

    Fields:
        name: its name there, or any other spec that `load_codec` takes.
    """

    name: str

    @property
    def rates_bpp(self) -> tuple[None]:
        return (None,)

    def check(self) -> None:
        """Raises UsageError if there is no such codec."""
        if self.name in CODECS:
            return
        load_codec(self.name)

    def identity(self) -> str:
        """Changes with the weights."""
        if self.name not in CODECS:
            return f"{short_spec(self.name)} {load_codec(self.name).model_id.hex()} {CONTEXT}"
        return f"{self.name} {CODECS[self.name].number} {_weights_digest(CODECS[self.name].weights)} {CONTEXT}"

    def material(self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path) -> Material:
        """The packets of the photo's stream. Made once for a photo and kept in `folder`."""
        kept = cached(
            folder,
            lambda: _measured(PackedPhoto.of(load_codec(self.name), photo, packet_size), photo),
            *("layered", self.identity(), digest_of(photo), packet_size, FIRST_LOOKS, MOST_LOOKS),
        )
        sizes, needs, packet, piece_needs = (
            np.asarray(kept[name], np.intp) for name in ("sizes", "needs", "packet", "piece_needs")
        )
        utility, removed, similarity, grey = (
            np.asarray(kept[name], np.float64) for name in ("utility", "removed", "similarity", "grey")
        )
        return Material(
            sizes=sizes,
            needs=needs,
            utility=utility,
            base=int(kept["base"]),
            first_picture=1,
            pieces=Pieces(packet, piece_needs, removed, similarity),
            grey=float(grey[0]),
            grey_similarity=float(grey[1]),
            samples=photo.size,
            decode_s=decode_seconds(self.name, photo),
        )

    def pictures(self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path, count: int) -> list[Photo]:
        """What the first packets show, from none to all, `count` pictures at most."""
        packed = PackedPhoto.of(load_codec(self.name), photo, packet_size)
        ends = even_steps(len(packed.packets), count)[1:]
        receptions = np.arange(len(packed.packets)) < ends[:, None]
        return [np.full_like(photo, GREY), *packed.pictures(receptions)]


def _measured(packed: PackedPhoto, photo: Photo) -> Arrays:
    segments = packed.stream.segments
    assert all(packed.packets), "the header shares a packet with segments"
    place = {segment.id: number for number, segment in enumerate(segments)}
    packet = np.array([n for n, own in enumerate(packed.packets) for _ in own], dtype=np.intp)
    utility = np.array([max(segment.utility, 0.0) for segment in segments])
    shapes = shapes_of(packed.blocks, segments, lambda payload: OVERHEAD + payload)
    starts = np.cumsum([0, *(shape.k for shape in shapes)]).tolist()
    needs = [[starts[n.block] + n.index for n in own] for shape in shapes for own in shape.needs]
    left, similarity = _loss_free(packed, photo, packet, utility)
    return {
        "sizes": np.array([size for shape in shapes for size in shape.sizes]),
        "needs": _padded(needs),
        "utility": np.array([max(u, 0.0) for shape in shapes for u in shape.utilities]),
        "base": np.array(sum(shape.k for shape in shapes if shape.layer == 0)),
        "packet": packet,
        "piece_needs": _padded([[place[i] for i in segment.depends_on] for segment in segments]),
        "removed": -np.diff(left),
        "similarity": np.diff(similarity),
        "grey": np.array([left[0], similarity[0]]),
    }


def _loss_free(packed: PackedPhoto, photo: Photo, packet: Ints, utility: Floats) -> tuple[Floats, Floats]:
    """Squared error and MS-SSIM after each segment, none first, two of [P + 1]: real pictures and lines in between."""
    payloads = [segment.payload for segment in packed.stream.segments]
    ids = [segment.id for segment in packed.stream.segments]
    after = np.searchsorted(packet, looks(int(packet[-1]) + 1), side="left")
    left, similarity = [], []
    pushed = 0
    with one_thread():
        decoder = packed.codec.decoder(packed.stream.header)
        for count in after.tolist():
            for number in range(pushed, count):
                decoder.push(ids[number], payloads[number])
            pushed = count
            picture = decoder.picture() if count else np.full_like(photo, GREY)
            left.append(squared_error(picture, photo))
            similarity.append(metrics.ms_ssim(picture, photo))
    progress = np.concatenate([[0.0], np.cumsum(np.maximum(utility, 1e-9))])
    measured = [np.array([np.nan if v is None else v for v in values]) for values in (left, similarity)]
    every = [np.interp(progress, progress[after], values) for values in measured]
    return every[0], every[1]


def looks(packets: int) -> list[int]:
    """Of how many first packets a real picture is made, 0 and all of them included."""
    if packets <= FIRST_LOOKS:
        return list(range(packets + 1))
    later = np.geomspace(FIRST_LOOKS, packets, MOST_LOOKS - FIRST_LOOKS + 1).round().astype(int).tolist()
    return sorted({*range(FIRST_LOOKS), *later})


@cache
def _weights_digest(name: str) -> str:
    return hashlib.sha256(files("progressive.weights").joinpath(name).read_bytes()).hexdigest() if name else ""


def _padded(needs: Sequence[Sequence[int]]) -> Ints:
    """With the number of all, [len(needs), the most needs of one]."""
    width = max(map(len, needs), default=0)
    rows = [[*own, *[len(needs)] * (width - len(own))] for own in needs]
    return np.array(rows, dtype=np.intp).reshape(len(needs), width)
