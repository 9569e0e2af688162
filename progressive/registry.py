"""Codec name -> number in the stream header and import path; a codec's code is loaded on first use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from progressive.codec import ProgressiveCodec
from progressive.entry_points import CODECS as ENTRY_POINTS
from progressive.entry_points import entry_points, imported
from progressive.errors import BitstreamError, UsageError
from progressive.files import reason
from progressive.stream import FOREIGN
from progressive.suggestions import use_one_of
from progressive.weight_files import HOW_TO_GET, SHIPPED, architecture_of, find_weights

WEIGHTS = SHIPPED

PARTS = ("name", "traits", "model_id", "encode", "decoder")
"""What a codec has at the least."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered codec.

    Fields:
        number: in stream headers; never reused.
        factory: `module:name` of what makes it.
        summary: what it is, in a line.
        domain: photos that it is made for; others are coded too, worse.
        rates: where it is of use, and how a stream gets to another rate.
        recipe: `module:name` of the function that trains it; empty if nothing is trained.
        weights: name of its file in `progressive/weights`.
    """

    number: int
    factory: str
    summary: str
    recipe: str = ""
    weights: str = ""
    domain: str = "photos"
    rates: str = ""

    @property
    def card(self) -> Path | None:
        """The model card, which lies beside the weights; None without weights."""
        return WEIGHTS / Path(self.weights).with_suffix(".md") if self.weights else None


CODECS: dict[str, Entry] = {
    "dual_autoencoder": Entry(
        1,
        "progressive.codecs.dual_autoencoder.codec:DualAutoencoder",
        "linear autoencoders of 8x8 blocks, one output for calm blocks, eight more for detailed ones",
        recipe="progressive.training.dual_autoencoder.recipe:train",
        weights="dual_autoencoder.safetensors",
        rates="0.05 to 0.5 bpp, cut anywhere",
    ),
    "rmpgc": Entry(
        2,
        "progressive.codecs.rmpgc.codec:Rmpgc",
        "a multi-scale latent in nested planes, sent in the order of what each block's next plane is worth",
        recipe="progressive.training.rmpgc.recipe:train",
        weights="rmpgc.safetensors",
        rates="0.03 to 2 bpp, cut anywhere",
    ),
    "recurrent": Entry(
        3,
        "progressive.codecs.recurrent.codec:Recurrent",
        "iterations of recurrent networks, 1/8 bit a pixel each, more of them where meaning is",
        recipe="progressive.training.recurrent.recipe:train",
        weights="recurrent.safetensors",
        rates="0.1 to 2.5 bpp, cut anywhere",
    ),
    "hierarchical_vae": Entry(
        4,
        "progressive.codecs.hierarchical_vae.codec:HierarchicalVae",
        "a hierarchy of latents, one network for all rates, more bytes where meaning is",
        recipe="progressive.training.hierarchical_vae.recipe:train",
        weights="hierarchical_vae.safetensors",
        rates="0.03 to 2 bpp, a stream for each",
    ),
    "label_guided": Entry(
        5,
        "progressive.codecs.label_guided.codec:LabelGuided",
        "a label map beside the latent tells the decoder what to draw",
        recipe="progressive.training.label_guided.recipe:train",
        weights="label_guided.safetensors",
        domain="street scenes",
        rates="0.02 to 0.1 bpp, a stream for each",
    ),
    "rmpgc_lsgan": Entry(
        6,
        "progressive.codecs.rmpgc.papers:RmpgcLsgan",
        "RMPGC on its paper's first backbone: eight channels of five levels, a decoder trained with a GAN",
        recipe="progressive.training.rmpgc_lsgan.recipe:train",
        weights="rmpgc_lsgan.safetensors",
        rates="0.05 to 0.25 bpp, cut anywhere",
    ),
    "rmpgc_hyperprior": Entry(
        7,
        "progressive.codecs.rmpgc.papers:RmpgcHyperprior",
        "RMPGC on its paper's second backbone: base and enhance channels, each with a hyperprior",
        recipe="progressive.training.rmpgc_hyperprior.recipe:train",
        weights="rmpgc_hyperprior.safetensors",
        rates="0.1 to 0.4 bpp, cut anywhere",
    ),
}

DEFAULT_CODEC = "rmpgc"


@dataclass(frozen=True, slots=True)
class Trainable:
    """How a network is trained.

    Fields:
        function: `module:name` of what trains it.
        weights: name of its file in `progressive/weights`.
        summary: what it is for.
    """

    function: str
    weights: str
    summary: str = ""


RECIPES: dict[str, Trainable] = {
    "importance": Trainable(
        "progressive.training.importance.recipe:train", "importance.safetensors", "where meaning is in a photo"
    ),
    "natural_look": Trainable(
        "progressive.training.natural_look.recipe:train", "natural_look.safetensors", "rmpgc's pictures, --look natural"
    ),
}
"""Networks that no codec owns."""


def load_codec(spec: str) -> ProgressiveCodec:
    """The codec that a spec names, made once for each.

    Args:
        spec: a name of `CODECS`, the name of an entry point of another package, or the `module:Class` of one; with
            `@WEIGHTS` behind it for other weights than its usual ones, a file or a name that
            `progressive.weight_files.find_weights` finds: `rmpgc@mine.safetensors`.

    Raises UsageError if there is none, or if the weights are another codec's.
    """
    name, at, weights = spec.partition("@")
    own = entry(name)
    if not at:
        return _made(own.factory)
    path = find_weights(weights)
    try:
        return with_weights(name, path)
    except UsageError as error:
        if not own.weights:
            raise
        raise _not_weights_of(name, path, error) from None


def _not_weights_of(codec: str, path: Path, error: UsageError) -> UsageError:
    """What to say of a file that is there but was refused: whose weights it holds, or that it holds none."""
    if (other := codec_of_weights(path)) is not None:
        return UsageError(f"{path} holds weights of {other}, not of {codec}: give --codec {other}")
    made_for = architecture_of(path)
    for other, network in RECIPES.items():
        if made_for and made_for == architecture_of(WEIGHTS / network.weights):
            return UsageError(f"{path} holds weights of {other}, not of {codec}: {HOW_TO_GET}")
    if made_for or path.parent == WEIGHTS or isinstance(error.__cause__, OSError):
        return error
    return UsageError(f"{path} is no weight file of codec {codec}, or a damaged one: {HOW_TO_GET}")


def codec_of_weights(path: Path) -> str | None:
    """The name of the codec of this project whose weights a file holds; None if they are no codec's."""
    for name, own in CODECS.items():
        if own.weights:
            with suppress(UsageError):
                with_weights(name, path)
                return name
    return None


def with_own_weights(codec: str, weights: str | None) -> str:
    """The spec of a codec with the weights that a person names, if any."""
    return codec if weights is None else f"{codec}@{weights}"


def short_spec(spec: str) -> str:
    """For tables: without the folder and the suffix of the weights."""
    name, at, weights = spec.partition("@")
    return f"{name}{at}{Path(weights).stem}" if at else name


def with_weights(name: str, path: Path) -> ProgressiveCodec:
    """The codec with the weights of a file, made once for each content; raises UsageError if they are another's."""
    made = _weighted(entry(name).factory, path, _stamp(path))
    if isinstance(made, UsageError):
        raise UsageError(str(made)) from made.__cause__
    return made


@cache
def _made(factory: str) -> ProgressiveCodec:
    kind = imported(factory)
    try:
        made = kind()
    except TypeError as error:  # no class at all, or one that needs arguments
        raise UsageError(f"{factory} is no codec, it cannot be made without arguments: {error}") from error
    return _checked(factory, made)


@cache
def _weighted(factory: str, weights: Path, _stamp: object) -> ProgressiveCodec | UsageError:
    """The codec, or why there is none: a folder of files is searched for every stream, and each file read once."""
    kind = imported(factory)
    if not hasattr(kind, "with_weights"):
        return UsageError(f"{factory} takes no weights: name it without")
    try:
        return _checked(factory, kind.with_weights(weights))
    except UsageError as error:
        return error


def _checked(factory: str, made: object) -> ProgressiveCodec:
    """Raises UsageError unless it is a codec."""
    if lacking := [part for part in PARTS if not hasattr(made, part)]:
        advice = "see progressive.codec.ProgressiveCodec"
        raise UsageError(f"{factory} is no codec, it has no {', '.join(lacking)}: {advice}")
    return cast(ProgressiveCodec, made)


def _stamp(path: Path) -> object:
    """Another one whenever the file may have changed."""
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from None
    return status.st_mtime_ns, status.st_size


def entry(name: str) -> Entry:
    """The entry of a codec, of this project or of another package; raises UsageError if there is none."""
    known = installed_codecs()
    if name in known:
        return known[name]
    if ":" in name:
        return _foreign(name)
    raise UsageError(f"unknown codec {name!r}: {use_one_of(name, sorted(known))}, or module:Class")


def installed_codecs() -> dict[str, Entry]:
    """The entry of every codec that has a name: this project's, then those of other packages."""
    return CODECS | {name: _foreign(path) for name, path in entry_points(ENTRY_POINTS).items() if name not in CODECS}


def _foreign(path: str) -> Entry:
    return Entry(FOREIGN, path, f"of another package: {path}", domain="")


def find_trainable(name: str) -> Trainable:
    """How the network or codec of this name is trained; raises UsageError if there is none."""
    if name in RECIPES:
        return RECIPES[name]
    trained = sorted([*RECIPES, *(codec for codec, registered in CODECS.items() if registered.recipe)])
    if name not in trained:
        raise UsageError(f"{name!r} is nothing that can be trained: {use_one_of(name, trained)}")
    return Trainable(CODECS[name].recipe, CODECS[name].weights)


def codec_name(number: int) -> str:
    """The name of the codec with this number in a stream header; raises BitstreamError if there is none."""
    for name, registered in CODECS.items():
        if registered.number == number:
            return name
    raise BitstreamError(f"the stream was made by codec number {number}, which this version does not know")
