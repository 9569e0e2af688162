"""From segments, in any order, to indices, and on demand to a picture."""

from __future__ import annotations

from collections.abc import Iterable, Set

import torch

from progressive.codec import FAITHFUL, DecoderStatus, Photo, Pushed
from progressive.codecs.rmpgc.assembly import Fragments, Whole
from progressive.codecs.rmpgc.backbone import Decoding, Tile
from progressive.codecs.rmpgc.layout import Layout
from progressive.codecs.rmpgc.levels import Job, decode_levels
from progressive.codecs.rmpgc.segments import BASE, Contents, Listed
from progressive.errors import BitstreamError
from progressive.runtime.stopping import Stop, never
from progressive.runtime.threads import idle_threads
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.waiting import Waiting
from progressive.stream import StreamHeader


class RmpgcDecoder:
    """Keeps the indices of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ all fragments, what it refers to? ─ yes ─> indices ─> picture()
                              └─ no ─> waits for it
    """

    def __init__(self, header: StreamHeader, decoding: Decoding, layout: Layout, parameters: bytes) -> None:
        """
        Args:
            header: of the stream.
            decoding: the backbone that made it.
            layout: the geometry of the photo.
            parameters: what the header tells the backbone.
        """
        self._header, self._decoding = header, decoding
        self._layout, self._parameters = layout, parameters
        self._tiles: dict[int, Tile] = {}
        self._intake = Intake(header.segment_count)
        self._listed: dict[int, Listed] = {}
        self._fragments = Fragments()
        self._waiting: Waiting[Whole] = Waiting()
        self._decoded, self._layer = 0, -1
        self._pictures: dict[str, Photo] = {}

    @property
    def header(self) -> StreamHeader:
        return self._header

    @property
    def shown(self) -> Set[int]:
        return self._listed.keys()

    @property
    def status(self) -> DecoderStatus:
        complete = len(self._tiles) == self._layout.tiles and all(t.base_complete for t in self._tiles.values())
        waiting = self._fragments.count + self._waiting.count
        return DecoderStatus(complete, self._layer, self._decoded, waiting, *self._gaps())

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        changed, errors = self._push([(segment_id, payload)])
        if errors:
            raise errors[0]
        return changed

    @neutral()
    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        changed, errors = self._push(segments)
        return Pushed(changed, len(errors))

    @neutral()
    def picture(self, *, stop: Stop = never, look: str = FAITHFUL) -> Photo:
        if look not in self._pictures:
            with idle_threads():
                self._pictures[look] = self._decoding.picture(self._layout, self._tiles, self._parameters, stop, look)
        return self._pictures[look].copy()

    def _gaps(self) -> tuple[float, float]:
        """Shares of the photo's blocks in tiles of which no scale of the base is known, and not all scales are."""
        blocks = self._layout.rows * self._layout.columns
        known = [(tile.rows * tile.columns, tile.base_complete) for tile in self._tiles.values()]
        grey = blocks - sum(count for count, _ in known)
        return grey / blocks, sum(count for count, complete in known if not complete) / blocks

    def _push(self, segments: Iterable[tuple[int, bytes]]) -> tuple[bool, list[BitstreamError]]:
        """Takes segments; whether anything was decoded, and what is wrong with the damaged ones among them."""
        errors: list[BitstreamError] = []
        ready: list[Whole] = []
        completed_by: dict[int, int] = {}
        before = self._decoded
        for segment_id, payload in segments:
            try:
                for whole in self._accepted(segment_id, payload):
                    ready.append(whole)
                    completed_by[id(whole)] = segment_id
            except BitstreamError as error:
                errors.append(error)
        with torch.inference_mode():
            while ready:
                jobs = [job for whole in ready for job in self._job_of(whole)]
                released: list[Whole] = []
                for job, outcome in zip(jobs, self._decode(jobs), strict=True):
                    if outcome is None:
                        released += self._released(job)
                    elif id(job.whole) in completed_by:
                        errors.append(outcome)
                        self._intake.give_back(completed_by[id(job.whole)])
                    else:  # it had waited: a good copy may come
                        for segment_id in job.whole.ids:
                            self._intake.give_back(segment_id)
                ready = released
        if self._decoded > before:
            self._pictures.clear()
        return self._decoded > before, errors

    def _accepted(self, segment_id: int, payload: bytes) -> list[Whole]:
        """The segment that this is or completes, if it does; raises BitstreamError if it cannot be of this stream."""
        if not self._intake.wants(segment_id):
            return []
        whole = self._fragments.joined(segment_id, Contents.from_bytes(payload, segment_id, self._layout))
        self._intake.take(segment_id)
        return [] if whole is None else [whole]

    def _job_of(self, whole: Whole) -> list[Job]:
        """What is to be decoded of a segment if all it needs is here; or else it is kept until then."""
        contents = whole.contents
        if contents.form == BASE:
            tile = self._tile(contents.tile)
            first = self._layout.depth.runs[contents.run][0]
            need: int | tuple[int, int] = contents.tile, first
            if tile.stages >= first:
                return [Job(whole, tile, Listed(contents.tile, 0, ()), contents.body)]
        else:
            need = contents.reference
            if need in self._listed:
                of = self._listed[need]
                return [Job(whole, self._tiles[of.tile], of, contents.body)]
        self._fragments.forget(whole)
        self._waiting.put(need, whole, len(whole.ids))
        return []

    def _tile(self, number: int) -> Tile:
        return self._tiles.get(number) or self._decoding.tile(self._layout.window(number))

    def _decode(self, jobs: list[Job]) -> list[BitstreamError | None]:
        """Decodes segments that need nothing more; for each, what is wrong with it."""
        enhance = [job for job in jobs if job.whole.contents.form != BASE]
        outcomes = decode_levels(enhance, self._layout.depth.levels)
        found = [self._decode_base(j) if j.whole.contents.form == BASE else next(outcomes) for j in jobs]
        for job, outcome in zip(jobs, found, strict=True):
            if not isinstance(outcome, BitstreamError):
                self._fragments.forget(job.whole)
                self._listed |= dict.fromkeys(job.whole.ids, outcome)
                self._decoded += len(job.whole.ids)
                self._layer = max(self._layer, self._layout.depth.layer_of(outcome.level))
        return [outcome if isinstance(outcome, BitstreamError) else None for outcome in found]

    def _decode_base(self, job: Job) -> Listed | BitstreamError:
        first, last = self._layout.depth.runs[job.whole.contents.run]
        number, tile = job.of.tile, self._tile(job.of.tile)
        if tile.stages > first:
            return BitstreamError("a segment repeats a scale of the base")
        coder = tile.decoder_of(job.body)
        try:
            with idle_threads():
                result = tile.code_stages(coder, last - first + 1)
            coder.finish()
        except BitstreamError as error:
            return error
        tile.keep_stages(result)
        self._tiles[number] = tile
        return Listed(number, 0, tile.by_activity)

    def _released(self, job: Job) -> list[Whole]:
        """What waited for a segment that has been decoded."""
        needs: list[int | tuple[int, int]] = list(job.whole.ids)
        if job.whole.contents.form == BASE:
            last = self._layout.depth.runs[job.whole.contents.run][1]
            needs.append((job.of.tile, last + 1))
        return [whole for need in needs for whole, _ in self._waiting.take(need)]
