"""One importance map of two: where meaning is (SIM) and where detail is (LCM), weighed by what the picture is for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from progressive.errors import UsageError
from progressive.semantics.grids import Map
from progressive.suggestions import use_one_of


def otsu_threshold(values: Map) -> float:
    """The value that best divides a map into what is at most it and what is above it (Otsu 1979).

    Of all divisions, the one with the largest variance between the two classes, found exactly, without a histogram;
    the lowest of several equals. Of a flat map, its only value, so that nothing is above.
    """
    ranked, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    if len(ranked) == 1:
        return float(ranked[0])
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(ranked * counts)
    mean_below, mean_above = sums[:-1] / below, (sums[-1] - sums[:-1]) / above
    return float(ranked[np.argmax(below * above * np.square(mean_above - mean_below))])


def salient_partition(sim: Map) -> NDArray[np.bool_]:
    """B of RMPGC Eq. 12: true where the semantic importance is above Otsu's threshold, [h, w] -> [h, w]."""
    return np.asarray(sim > otsu_threshold(sim))


def hierarchical_blend(sim: Map, lcm: Map) -> NDArray[np.float64]:
    """Salient positions first, by meaning, then all others, by complexity (RMPGC Eq. 12).

    I = (1 + e) B + sigmoid(v) (1 - B), with B by Otsu's method.

    Args:
        sim: e, 0..1, [h, w].
        lcm: v, zero or more, [h, w]; beyond about 30 the sigmoid no longer tells its values apart.
    """
    _check_same_grid(sim, lcm)
    sigmoid = 1 / (1 + np.exp(-np.asarray(lcm, np.float64)))
    return np.where(salient_partition(sim), 1 + np.asarray(sim, np.float64), sigmoid)


def relative_complexity(lcm: Map) -> NDArray[np.float64]:
    """The LCM divided by its largest value, 0..1; a map of zeros stays one.

    The order is the same, and the sigmoid of RMPGC Eq. 12 does not saturate whatever the scale of the latent.
    """
    return np.asarray(lcm, np.float64) / (float(lcm.max()) or 1.0)


CONTEXTS: dict[str, Callable[[Map, Map], NDArray[np.float64]]] = {
    "classify": lambda sim, _: np.asarray(sim, np.float64),
    "reconstruct": lambda _, lcm: relative_complexity(lcm),
    "hybrid": lambda sim, lcm: hierarchical_blend(sim, relative_complexity(lcm)),
}
"""What a picture is for -> the importance of its positions: the SIM alone, the LCM alone, or their blend."""

DEFAULT_CONTEXT = "hybrid"


def contextual_importance(sim: Map, lcm: Map, context: str = DEFAULT_CONTEXT) -> NDArray[np.float64]:
    """The importance map that a context asks for; only its order matters to the masks.

    Args:
        sim: semantic importance, 0..1, [h, w].
        lcm: latent complexity, zero or more, of any scale, [h, w].
        context: `classify`, `reconstruct` or `hybrid`.

    Raises UsageError for another context or maps of different shapes.
    """
    check_context(context)
    _check_same_grid(sim, lcm)
    return CONTEXTS[context](sim, lcm)


def check_context(context: str) -> None:
    """Raises UsageError unless the context is one of the table's."""
    if context not in CONTEXTS:
        raise UsageError(f"unknown context {context!r}: {use_one_of(context, CONTEXTS)}")


def _check_same_grid(sim: Map, lcm: Map) -> None:
    if sim.shape != lcm.shape:
        raise UsageError(f"a SIM of {sim.shape} and an LCM of {lcm.shape} do not blend: average both onto one grid")
