"""The probability tables, by counting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import lattice
from progressive.codecs.dual_autoencoder.analysis import analyse
from progressive.codecs.dual_autoencoder.detail import table_shapes
from progressive.codecs.dual_autoencoder.layout import OUTPUTS, PLANES
from progressive.codecs.dual_autoencoder.model import KINDS, Model
from progressive.codecs.dual_autoencoder.segments import COARSE, FINE, Contents, code_base, code_enhance_component
from progressive.codecs.dual_autoencoder.state import empty_state, tile_of
from progressive.exact.coders import CountCollector
from progressive.exact.tables import frequencies_from_counts
from progressive.training.dual_autoencoder.linear import EXPERTS, Tensors, layout_of
from progressive.training.loop import Log


def fit_tables(photos: Sequence[Photo], tensors: Tensors, rng: np.random.Generator, log: Log) -> Tensors:
    """Counts the symbols of every context over the photos, with the contexts of two random segments a plane."""
    shapes = {f"{kind}.base": (lattice.ROWS, lattice.SYMBOLS) for kind in KINDS}
    for kind in KINDS:
        shapes |= table_shapes(kind, EXPERTS[kind])
    collector = CountCollector(shapes)
    model = Model(tensors)
    for photo in photos:
        layout = layout_of(photo)
        targets, state = analyse(photo, layout, model), empty_state(layout)
        for number in range(layout.tiles):
            window = layout.window(number)
            tile = tile_of(state, window)
            views = [t.view(*window.slices(chroma=i > 0)) for i, t in enumerate(targets)]
            truth = [v.base_bins() for v in views]
            for contents in (Contents(number, COARSE), Contents(number, FINE, (0, window.height))):
                code_base(collector, contents, tile, truth)
            for plane in range(PLANES):
                first = rng.random(layout.regions(window)) < 0.5
                for regions in (first, ~first):
                    for index, (component, target) in enumerate(zip(tile, views, strict=True)):
                        code_enhance_component(collector, model, plane, regions, layout, component, target, index)
    log(f"counted {sum(c.sum() for c in collector.counts.values()) / 1e6:.1f} million symbols")
    return {
        f"tables.{name}": frequencies_from_counts(_regularised(name, counts))
        for name, counts in collector.counts.items()
    }


def _regularised(name: str, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adds to each row a little of what rows alike have in common, so that rare contexts are sensible too."""
    strength, floor = 12.0, 0.02
    if name.endswith(".base"):
        groups = counts.reshape(4, -1, 10, counts.shape[1]).sum((0, 1))
        pooled = np.broadcast_to(groups, (4, len(counts) // 40, 10, counts.shape[1])).reshape(counts.shape)
    elif name.endswith(".output"):
        experts = EXPERTS[name.partition(".")[0]]
        by_expert = counts.reshape(experts, OUTPUTS, -1, counts.shape[1])
        pooled = np.broadcast_to(by_expert.sum((0, 1), keepdims=True), by_expert.shape).reshape(counts.shape)
    else:
        pooled = np.broadcast_to(counts.sum(0), counts.shape)
    share = (pooled + floor) / (pooled + floor).sum(1, keepdims=True)
    regularised: NDArray[np.float64] = counts + strength * share + floor
    return regularised
