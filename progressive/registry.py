"""Codec name -> number in the stream header and import path; a codec's code is loaded on first use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from progressive.codec import ProgressiveCodec
from progressive.errors import BitstreamError, UsageError
from progressive.suggestions import use_one_of

WEIGHTS = Path(__file__).parent / "weights"


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
    """

    function: str
    weights: str


RECIPES: dict[str, Trainable] = {
    "importance": Trainable("progressive.training.importance.recipe:train", "importance.safetensors"),
    "natural_look": Trainable("progressive.training.natural_look.recipe:train", "natural_look.safetensors"),
}
"""Networks that no codec owns."""


@cache
def load_codec(name: str) -> ProgressiveCodec:
    """The codec of this name with its committed weights; raises UsageError if there is none."""
    return cast(ProgressiveCodec, imported(entry(name).factory)())


def entry(name: str) -> Entry:
    """The table's entry of this name; raises UsageError if there is none."""
    if name not in CODECS:
        raise UsageError(f"unknown codec {name!r}: {use_one_of(name, sorted(CODECS))}")
    return CODECS[name]


def find_trainable(name: str) -> Trainable:
    """How the network or codec of this name is trained; raises UsageError if there is none."""
    if name in RECIPES:
        return RECIPES[name]
    trained = sorted([*RECIPES, *(codec for codec, registered in CODECS.items() if registered.recipe)])
    if name not in trained:
        raise UsageError(f"{name!r} is nothing that can be trained: {use_one_of(name, trained)}")
    return Trainable(CODECS[name].recipe, CODECS[name].weights)


def imported(path: str) -> Any:
    """What `module:name` names."""
    module, name = path.split(":")
    return getattr(import_module(module), name)


def codec_name(number: int) -> str:
    """The name of the codec with this number in a stream header; raises BitstreamError if there is none."""
    for name, registered in CODECS.items():
        if registered.number == number:
            return name
    raise BitstreamError(f"the stream was made by codec number {number}, which this version does not know")
