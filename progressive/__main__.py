"""`python -m progressive`: photos to files and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from progressive import registry
from progressive.codec import FAITHFUL, ProgressiveDecoder, with_effort
from progressive.coded_file import coded_within
from progressive.container import (
    MAX_FILE_BYTES,
    RECORD_OVERHEAD,
    FileContents,
    about_size,
    file_size,
    read_stream,
    stream_to_bytes,
)
from progressive.contexts import context_for
from progressive.entry_points import imported
from progressive.errors import BitstreamError, RunError, UsageError
from progressive.files import check_writable, input_name, output_name, read_bytes, write_result
from progressive.looks import picture_in, prepared_look
from progressive.models import codec_of, installed_models, make_known, name_of
from progressive.photos import png_bytes, read_photo
from progressive.photos.exif import about_photo
from progressive.registry import DEFAULT_CODEC, installed_codecs, load_codec, with_own_weights
from progressive.semantics.blend import DEFAULT_CONTEXT
from progressive.semantics.sources import DEFAULT_SOURCE, SOURCES
from progressive.shell import cli
from progressive.shell.display import print_table, say, say_beside
from progressive.shell.options import Effort, Look, Weights
from progressive.stream import LayeredStream
from progressive.transport.keys import write_new_key
from progressive.units import format_size, parse_size, parse_time

WEIGHTS_FOLDER = Path(__file__).parent / "weights"

app = typer.Typer(help="Codes photos into files of which any cut decodes.", no_args_is_help=True, add_completion=False)

Size = Annotated[int | None, typer.Option("--bytes", parser=parse_size, metavar="SIZE", help="Such as 20kB.")]
ImportanceSource = Annotated[str, typer.Option("--importance", metavar="NAME", help=f"One of {', '.join(SOURCES)}.")]
ClassifierWeights = Annotated[Path | None, typer.Option(metavar="FILE", help="Of a SqueezeNet 1.1.")]
CodecName = Annotated[
    str, typer.Option("--codec", metavar="NAME", help="One that `codecs` lists, or module:Class of another package.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
ForeignCodec = Annotated[
    str | None,
    typer.Option("--codec", metavar="MODULE:CLASS", help="Of another package, if the stream is of its codec."),
]
ProgFile = Annotated[Path, typer.Argument(metavar="IN.prog", help="Or - for standard input.")]


@app.command()
def encode(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="Or - for standard input.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.prog", help="Or - for standard output.")],
    codec: CodecName = DEFAULT_CODEC,
    weights: Weights = None,
    size: Size = None,
    bpp: Annotated[float | None, typer.Option(metavar="X", help="Bits a pixel, the whole file counted.")] = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="What for: reconstruct (default of rmpgc), classify or hybrid.")
    ] = None,
    effort: Effort = 0,
    with_metadata: Annotated[
        bool, typer.Option("--with-metadata", help="Keep the file's name, and time and place of its EXIF.")
    ] = False,
) -> None:
    """Code a photo into a file, of at most --bytes or --bpp if given."""
    if size is not None and bpp is not None:
        raise UsageError("--bytes and --bpp both limit the file: give one of them")
    if bpp is not None and not 0 < bpp < math.inf:
        raise UsageError(f"no file has {bpp:g} bits a pixel: use a number above zero")
    coder = with_effort(load_codec(with_own_weights(codec, weights)), effort)
    context = context_for(coder, context)
    check_writable(output)
    tell = say_beside(output)
    pixels = read_photo(photo, tell=lambda line: tell(f"{input_name(photo)}: {line}"))
    area = pixels.shape[0] * pixels.shape[1]
    limit = int(bpp * area / 8) if bpp is not None else size
    about = about_photo(photo) if with_metadata else None
    room = None if limit is None else limit - about_size(about)
    stream = coded_within(coder, pixels, room, context=context)
    data = stream_to_bytes(stream, about)
    write_result(output, data)
    written = len(data)
    tell(
        f"{output_name(output)}: {pixels.shape[1]}x{pixels.shape[0]}, {_segments(len(stream.segments))}, "
        f"{_rate(written, area)} by {coder.name}{f' for {context}' if context else ''}"
    )


@app.command()
def decode(
    file: ProgFile,
    output: Annotated[Path, typer.Argument(metavar="OUT.png", help="Or - for standard output.")],
    size: Size = None,
    look: Look = FAITHFUL,
    codec: ForeignCodec = None,
    weights: Weights = None,
) -> None:
    """Write the best picture that a file holds, or its first --bytes; it may be cut or damaged after its header."""
    check_writable(output)
    make_known(codec, weights)
    contents = _contents(file, _read(file)[:size])
    coder = codec_of(contents.header)
    if prepared_look(coder, look) != look:
        raise UsageError(f"{coder.name} has no {look} look: leave --look out")
    decoder = coder.decoder(contents.header)
    refused = decoder.push_all(contents.segments).damaged
    status = decoder.status
    if (contents.damaged or refused) and not status.decoded:
        raise RunError(f"{input_name(file)} is damaged and nothing of it can be shown")
    write_result(output, png_bytes(picture_in(decoder, look)))
    size_in_words = f"{contents.header.width}x{contents.header.height}"
    facts = (size_in_words, _how_much(contents, status.decoded), status.gaps_in_words())
    say_beside(output)(f"{output_name(output)}: {', '.join(filter(None, facts))}")


@app.command()
def info(file: ProgFile, codec: ForeignCodec = None, weights: Weights = None) -> None:
    """Say what a file holds."""
    make_known(codec, weights)
    data = _read(file)
    contents = _contents(file, data)
    header = contents.header
    table = Table(show_header=False, box=None)
    for name, value in (
        ("codec", name_of(header)),
        ("model id", header.model_id.hex()),
        ("size", f"{header.width}x{header.height}"),
        ("file", _rate(len(data), header.width * header.height)),
        ("segments", _how_much(contents, len(contents.segments))),
        *((("photo", contents.about.in_words()),) if not contents.about.is_empty else ()),
    ):
        table.add_row(name, value)
    console = Console()
    console.print(table)
    console.print(_layers(contents))


@app.command()
def evaluate(
    source: Annotated[str, typer.Argument(metavar="FOLDER", help="Or a photo, or a glob.")],
    codec: Annotated[
        str, typer.Option(metavar="NAME", help="Or module:Class of another package, or none, for peers alone.")
    ] = DEFAULT_CODEC,
    weights: Weights = None,
    against: Annotated[str, typer.Option(metavar="PEERS", help="Comma-separated, such as jpeg; or none.")] = "jpeg",
    rates: Annotated[str | None, typer.Option(metavar="BPP,BPP", help="Rates of the table, bits a pixel.")] = None,
    curve: Annotated[int, typer.Option(metavar="N", min=0, help="More rates to cut the stream at.")] = 24,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="classify, reconstruct or hybrid.")] = None,
    effort: Effort = 0,
    look: Look = FAITHFUL,
    segment_size: Annotated[int, typer.Option(metavar="BYTES", min=1, help="Largest segment.")] = 1000,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Photos at most, spread over all.")] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lines of file name, tab, class number; FOLDER/labels.tsv.")
    ] = None,
    classifier_weights: ClassifierWeights = None,
    lpips_weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Linear layers of LPIPS.")] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Photos measured at once.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals.")] = 0,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="evaluation.json of an earlier run with these peers; may be given again."),
    ] = None,
    output: Annotated[Path, typer.Option(metavar="DIR")] = Path("out"),
) -> None:
    """Print and save quality against rate, in real bytes, beside other formats."""
    from progressive.evaluation import command

    settings = command.Settings(
        codec=None if codec == "none" else with_own_weights(codec, weights),
        against=() if against == "none" else tuple(against.split(",")),
        rates=command.DEFAULT_RATES if rates is None else _parse_rates(rates),
        cuts=curve,
        context=context,
        effort=effort,
        look=look,
        max_payload=segment_size,
        limit=limit,
        seed=seed,
        workers=workers,
        labels=labels,
        classifier_weights=classifier_weights,
        lpips_weights=lpips_weights,
        reuse=tuple(reuse or ()),
    )
    command.evaluate(source, settings, output=output, log=say)


@app.command()
def train(
    network: Annotated[str, typer.Argument(metavar="NAME", help="A codec, importance, or natural_look.")],
    data: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder of photos; may be given again.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The committed weights if left out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from FILE, or from an interrupted run.")] = False,
    photos: Annotated[int | None, typer.Option(min=1, help="Photos to use, at most.")] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Gradient steps, of each phase.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML like settings.toml of the recipe, which is used without.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="A table of it, cpu or gpu, if it has any.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Photos to watch the progress on; some of --data without.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as synthesis.steps=300; may be given again."),
    ] = None,
) -> None:
    """Train a codec, the importance network, or the natural look, on folders of photos."""
    recipe = registry.find_trainable(network)
    file = out or WEIGHTS_FOLDER / recipe.weights
    check_writable(file)
    imported(recipe.function)(
        data,
        file,
        photos=photos,
        steps=steps,
        seed=seed,
        resume=resume,
        device=device,
        settings=settings,
        profile=profile,
        held_out=held_out,
        changes=changes or (),
        log=say,
    )


@app.command()
def importance(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MAP.png")] = Path("map.png"),
    source: ImportanceSource = DEFAULT_SOURCE,
    codec: CodecName = DEFAULT_CODEC,
    weights: Weights = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="classify, reconstruct or hybrid.")] = None,
    classifier_weights: ClassifierWeights = None,
) -> None:
    """Draw where in a photo meaning and detail are, and what a codec would send first."""
    from progressive.semantics import command

    coder = load_codec(with_own_weights(codec, weights))
    context = context_for(coder, context, default=DEFAULT_CONTEXT)
    command.draw(
        photo, output, source=source, codec=coder, context=context, classifier_weights=classifier_weights, log=say
    )


@app.command()
def compare(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE")],
    original: Annotated[Path, typer.Argument(metavar="ORIGINAL")],
    source: ImportanceSource = DEFAULT_SOURCE,
    classifier_weights: ClassifierWeights = None,
    lpips_weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Linear layers of LPIPS.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print how good a picture is beside its original, by every metric that applies."""
    from progressive.metrics import command

    command.compare(
        picture,
        original,
        source=source,
        classifier_weights=classifier_weights,
        lpips_weights=lpips_weights,
        as_json=as_json,
        log=say,
    )


@app.command()
def quality(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="report.json of a run.")],
    until: Annotated[
        float | None, typer.Option(parser=parse_time, metavar="TIME", help="End of the areas; the last picture's time.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print how soon a stream was good: quality over time and over bytes, its area, when it reached what."""
    from progressive.metrics import command

    command.over_time(report, until_s=until, as_json=as_json, log=say)


@app.command()
def accuracy(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of photos.")],
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lines of file name, tab, class number; FOLDER/labels.tsv.")
    ] = None,
    classifier_weights: ClassifierWeights = None,
    as_json: AsJson = False,
) -> None:
    """Print how many photos of a labelled folder a classifier still recognises."""
    from progressive.metrics import command

    command.accuracy(folder, labels=labels, classifier_weights=classifier_weights, as_json=as_json, log=say)


@app.command()
def codecs() -> None:
    """List the codecs, those of other packages too: what each is, for which photos and rates, where its card lies."""
    table = Table("codec", "", box=None, show_header=False, pad_edge=False)
    for name, entry in sorted(installed_codecs().items()):
        default = " (default)" if name == DEFAULT_CODEC else ""
        table.add_row(f"{name}{default}", entry.summary)
        for what, words in (
            ("number", str(entry.number)),
            ("domain", entry.domain),
            ("rates", entry.rates),
            ("card", str(entry.card or "")),
        ):
            if words:
                table.add_row(f"  {what}", words)
    print_table(table)


@app.command()
def models() -> None:
    """List the weights that are installed: codec, model id, size, what each is for; --weights takes their names."""
    table = Table("name", "", box=None, show_header=False, pad_edge=False)
    for model in installed_models():
        table.add_row(model.name, model.summary)
        size, card = format_size(model.path.stat().st_size, digits=3), str(model.card or "")
        own = (("codec", model.codec), ("model id", model.model_id.hex()), ("size", size), ("card", card))
        for what, words in (*own, ("file", str(model.path))):
            if words:
                table.add_row(f"  {what}", words)
    print_table(table)


@app.command()
def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="classifier, lpips; both if left out."),
    ] = None,
) -> None:
    """Fetch the weights that others publish and metrics use; nothing else of this project ever downloads anything."""
    from progressive.semantics.downloads import PUBLISHED
    from progressive.semantics.downloads import download as fetch

    for name in names or PUBLISHED:
        say(f"{name}: {fetch(name)}")


@app.command()
def keygen(file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]) -> None:
    """Make a key for --key-file: both ends need a copy, nobody else may have one."""
    write_new_key(file)
    say(f"{file}: a new key; copy it to the other end over a safe way, such as scp")


def main() -> None:
    """The command line."""
    cli.run(app)


def _parse_rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(sorted(float(part) for part in text.split(",")))
    except ValueError as error:
        raise UsageError(f"cannot read the rates {text!r}: give bits a pixel, such as 0.1,0.2,0.5") from error
    if not all(0 < rate < math.inf for rate in rates):
        raise UsageError(f"rates must be above zero, {text!r} is not")
    return rates


def _read(file: Path) -> bytes:
    return read_bytes(file, limit=MAX_FILE_BYTES)


def _contents(file: Path, data: bytes) -> FileContents:
    try:
        return read_stream(data)
    except BitstreamError as error:
        raise BitstreamError(f"{input_name(file)}: {error}") from error


def _decoder(contents: FileContents) -> ProgressiveDecoder:
    return codec_of(contents.header).decoder(contents.header)


def _push(decoder: ProgressiveDecoder, segment_id: int, payload: bytes) -> bool:
    """Whether the payload is sound; the picture goes without one that is not."""
    try:
        decoder.push(segment_id, payload)
    except BitstreamError:
        return False
    return True


def _layers(contents: FileContents) -> Table:
    """How far into the file the base is complete, and each layer after it begins."""
    table = Table("layer", "reached after", "bytes", box=None)
    decoder, reached = _decoder(contents), -1
    position = file_size(LayeredStream(contents.header, ()))
    for count, (segment_id, payload) in enumerate(contents.segments, 1):
        position += RECORD_OVERHEAD + len(payload)
        _push(decoder, segment_id, payload)
        if decoder.status.base_complete and decoder.status.layer > reached:
            reached = decoder.status.layer
            table.add_row("base" if reached == 0 else f"enhance {reached}", _segments(count), format_size(position))
    return table


def _how_much(contents: FileContents, shown: int) -> str:
    total = contents.header.segment_count
    if shown == total:
        return f"all {_segments(total)}"
    whole = f"{shown} of {_segments(total)}"
    return f"{whole}; {contents.damaged} damaged stretches" if contents.damaged else f"{whole}; the file is cut"


def _segments(count: int) -> str:
    return f"{count} segment{'' if count == 1 else 's'}"


def _rate(size: int, area: int) -> str:
    return f"{format_size(size)}, {8 * size / area:.3f} bpp"


if __name__ == "__main__":
    main()
