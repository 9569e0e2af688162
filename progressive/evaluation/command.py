"""`python -m progressive evaluate`: a codec beside its peers over a folder of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import __version__ as pillow_version
from rich.console import Console
from rich.progress import track

from progressive.codec import FAITHFUL, ProgressiveCodec, with_effort
from progressive.contexts import check_context
from progressive.errors import UsageError
from progressive.evaluation.curves import Curve, curve
from progressive.evaluation.meter import Meter, load_judges
from progressive.evaluation.peers import PEERS, check_peer, peer_points
from progressive.evaluation.protocol import protocol, stream_settings
from progressive.evaluation.report import FILES, save, text
from progressive.evaluation.reuse import Key, in_words, origin, read_curves
from progressive.evaluation.streams import rated_points, stream_points
from progressive.evaluation.summary import summarise
from progressive.files import check_writable
from progressive.looks import prepared_look
from progressive.metrics.recognition import LABELS_FILE, read_labels
from progressive.photos import find_photos, read_photo
from progressive.registry import load_codec, short_spec
from progressive.runtime.threads import one_thread

DEFAULT_RATES = (0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.5)
DEFAULT_CUTS = 24


@dataclass(frozen=True, slots=True)
class Settings:
    """How a codec is measured.

    Fields:
        codec: its name in the registry; None for peers alone, the first of which then takes its place in the tables.
        against: names of peers.
        rates: of the table, in bits a pixel, rising.
        cuts: how many more rates the stream is cut at, at equal steps of log rate between those of the table.
        context: what the codec orders its segments for; None for its default.
        effort: of the codec's encoder.
        look: of the codec's pictures.
        max_payload: largest segment, in bytes.
        limit: photos at most, spread evenly over the folder; None for all.
        seed: of the bootstrap.
        workers: processes.
        labels: file of classes; `labels.tsv` beside the photos, if there is one, when None.
        classifier_weights, lpips_weights: files; None to look where `compare` does.
        reuse: `evaluation.json`s of earlier runs, from which peers are taken where all that decides them is the same.
    """

    codec: str | None
    against: tuple[str, ...] = ()
    rates: tuple[float, ...] = DEFAULT_RATES
    cuts: int = DEFAULT_CUTS
    context: str | None = None
    effort: int = 0
    look: str = FAITHFUL
    max_payload: int = 1000
    limit: int | None = None
    seed: int = 0
    workers: int = 1
    labels: Path | None = None
    classifier_weights: Path | None = None
    lpips_weights: Path | None = None
    reuse: tuple[Path, ...] = ()

    @property
    def systems(self) -> tuple[str, ...]:
        return (*([self.own] if self.own else []), *self.against)

    @property
    def own(self) -> str | None:
        """What the codec is called in tables."""
        if self.codec is None:
            return None
        name = short_spec(self.codec)
        look = "" if self.look == FAITHFUL else f" {self.look}"
        return name + look + (f" effort {self.effort}" if self.effort else "")


@dataclass(frozen=True, slots=True)
class _Task:
    path: Path
    name: str
    label: int | None


def evaluate(source: str, settings: Settings, *, output: Path, log: Callable[[str], None]) -> None:
    """Measures, prints and saves the table, the figure and every point.

    Raises UsageError before any work starts for an unknown codec, peer or context, a photo, label or weights that
    cannot be read, an earlier evaluation that is none, or an output folder that cannot be written.
    """
    _check(settings)
    earlier = read_curves(settings.reuse)
    photos = _spread(find_photos(source), settings.limit)
    tasks, settings, notes = _with_labels(photos, settings)
    output.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        check_writable(output / name)
    measured = Parallel(n_jobs=settings.workers, return_as="generator")(
        delayed(_measure)(task, settings, {k: c for k, c in earlier.items() if c.photo == task.name}) for task in tasks
    )
    curves = [c for of_photo in _shown(measured, len(tasks)) for c in of_photo]
    summary = summarise(curves, settings.systems, settings.rates, settings.seed)
    words = protocol(
        settings.own,
        settings.against,
        [*notes, *in_words(curves, earlier)],
        max_payload=settings.max_payload,
        context=settings.context,
        recognised=bool(summary.recognition),
    )
    save(output, curves, summary, words, {"source": source, "photos": len(tasks)} | _record(settings))
    log(f"{text(summary, words)}\n\nsaved {output}/evaluation.md, .json, .png")


def _check(settings: Settings) -> None:
    for peer in settings.against:
        check_peer(peer)
    if not settings.systems:
        raise UsageError("there is nothing to measure: name a codec, or peers by --against")
    if len(set(settings.systems)) < len(settings.systems):
        raise UsageError(f"a peer is named twice in {','.join(settings.against)}: name each once")
    codec = _codec_of(settings) if settings.codec else None
    if codec is None and settings.effort:
        raise UsageError("peers take no effort: leave --effort out, or name a codec")
    if settings.context is not None:
        if codec is None:
            raise UsageError("peers have no contexts: leave --context out, or name a codec")
        check_context(codec, settings.context)
    if settings.look != FAITHFUL:
        if codec is None:
            raise UsageError("peers have one look: leave --look out, or name a codec")
        if prepared_look(codec, settings.look) != settings.look:
            raise UsageError(f"{codec.name} has no {settings.look} look: leave --look out")


def _codec_of(settings: Settings) -> ProgressiveCodec:
    assert settings.codec is not None
    return with_effort(load_codec(settings.codec), settings.effort)


def _spread(photos: Sequence[Path], limit: int | None) -> list[Path]:
    """At most `limit` of the photos, evenly spread over them."""
    count = len(photos) if limit is None else min(limit, len(photos))
    return [photos[len(photos) * i // count] for i in range(count)]


def _with_labels(photos: Sequence[Path], settings: Settings) -> tuple[list[_Task], Settings, list[str]]:
    """The tasks; settings without labels if there is no classifier for those that lie beside the photos; notes."""
    folder = photos[0].parent
    labels: dict[Path, int] = {}
    notes = []
    if settings.labels or (folder / LABELS_FILE).is_file():
        labels = {p.path: p.label for p in read_labels(folder, settings.labels)}
        try:
            load_judges(settings.classifier_weights, settings.lpips_weights, recognise=True)
        except UsageError as error:
            if settings.labels or settings.classifier_weights or settings.lpips_weights:
                raise
            labels = {}
            notes.append(f"Nothing was recognised: {error}.")
    judges = load_judges(settings.classifier_weights, settings.lpips_weights, recognise=bool(labels))
    notes.append(
        f"The third figure is {judges.perceptual_name}, lower is better."
        if judges.perceptual
        else "LPIPS was not measured: its weights were not found."
    )
    stems = [p.stem for p in photos]
    names = stems if len(set(stems)) == len(stems) else [str(p) for p in photos]
    tasks = [_Task(path, name, labels.get(path)) for path, name in zip(photos, names, strict=True)]
    return tasks, replace(settings, labels=settings.labels if labels else None), notes


def _measure(task: _Task, settings: Settings, earlier: Mapping[Key, Curve]) -> list[Curve]:
    """Every system's curve of one photo; runs in a process of its own if there are several."""
    with one_thread():
        recognise = task.label is not None
        judges = load_judges(settings.classifier_weights, settings.lpips_weights, recognise=recognise)
        meter = Meter(read_photo(task.path), judges, task.label)
        own = [_codec_curve(_codec_of(settings), task.name, meter, settings)] if settings.codec else []
        return [*own, *(_peer_curve(peer, task.name, meter, settings.rates, earlier) for peer in settings.against)]


def _codec_curve(codec: ProgressiveCodec, photo: str, meter: Meter, settings: Settings) -> Curve:
    name = settings.own or codec.name
    if codec.traits.one_rate:
        points = rated_points(codec, meter, settings.rates, max_payload=settings.max_payload, context=settings.context)
        return curve(name, photo, meter.pixels, points)
    rates = _cut_rates(settings)
    stream = codec.encode(meter.original, max_payload=settings.max_payload, context=settings.context)
    made_by = f"model {stream.header.model_id.hex()}, {stream_settings(settings.max_payload, settings.context)}"
    made_by += f", effort {settings.effort}" if settings.effort else ""
    points = stream_points(codec, stream, meter, rates, look=settings.look)
    return curve(name, photo, meter.pixels, points, one_stream=True, origin=origin(meter, made_by, rates))


def _peer_curve(name: str, photo: str, meter: Meter, rates: Sequence[float], earlier: Mapping[Key, Curve]) -> Curve:
    source = origin(meter, f"Pillow {pillow_version}, {PEERS[name].description()}", rates)
    if known := earlier.get((name, photo, source)):
        return known
    return curve(name, photo, meter.pixels, peer_points(name, meter, rates), origin=source)


def _cut_rates(settings: Settings) -> list[float]:
    between = np.geomspace(min(settings.rates), max(settings.rates), settings.cuts)
    return sorted({*settings.rates, *map(float, between)})


def _shown(measured: Iterable[list[Curve]], total: int) -> Iterator[list[Curve]]:
    """With a bar on standard error."""
    console = Console(stderr=True)
    return iter(track(measured, "measuring", total=total, console=console, disable=not console.is_terminal))


def _record(settings: Settings) -> dict[str, object]:
    record = {name: str(v) if isinstance(v, Path) else v for name, v in asdict(settings).items()}
    return record | {"reuse": [str(file) for file in settings.reuse]}
