"""Symbols of a layer through a coder: the same for encoding, decoding, measuring and counting.

Legend: N items, tiles or blocks; R x K blocks of an item; C channels, h x w positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior.channels import (
    BASE_GROUPS,
    ENHANCE,
    FIRST_STAGE,
    GROUPS,
    HYPER_CHANNELS,
    HYPER_REACH,
    PARTS,
)
from progressive.codecs.rmpgc.backbones.hyperprior.prior import Exact, Priors
from progressive.codecs.rmpgc.backbones.hyperprior.tables import (
    BASE_HYPER,
    BASE_TABLES,
    ENHANCE_HYPER,
    ENHANCE_TABLES,
)
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, LayerShape
from progressive.exact.coders import SymbolCoder
from progressive.exact.laplace import Ints, Rows, code_indices
from progressive.exact.tables import FrequencyTable


class Coding:
    """What decides the latents; see `masked.model.Coding`.

    Args:
        priors: exact ones, on the device where it is to compute.
        tables: the model's, with the escape's.
    """

    def __init__(self, priors: Priors, tables: Mapping[str, FrequencyTable]) -> None:
        self.priors, self.tables = priors, tables

    @property
    def device(self) -> torch.device:
        return self.priors.device

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        return PARTS

    def code(
        self,
        coder: SymbolCoder,
        layer: int,
        known: Sequence[Layer],
        items: int,
        rows: int,
        columns: int,
        wanted: Layer | None,
    ) -> Layer:
        with torch.inference_mode():
            if layer == ENHANCE:
                return self._enhance(coder, known, items, wanted)
            prior = self.priors.base
            if layer == 0:
                hyper = self._hyper(coder, BASE_HYPER, (items, rows, columns), wanted)
                features, groups = prior.features(hyper), range(FIRST_STAGE)
                return [hyper, *self._groups(coder, prior, features, groups, BASE_TABLES, items, _after(wanted))]
            features = prior.features(known[0][0])
            for group, indices in enumerate(known[0][1:]):
                features = prior.following(group, features, indices)
            groups = range(FIRST_STAGE, len(BASE_GROUPS))
            return self._groups(coder, prior, features, groups, BASE_TABLES, items, wanted)

    def _enhance(self, coder: SymbolCoder, known: Sequence[Layer], items: int, wanted: Layer | None) -> Layer:
        prior, groups = self.priors.enhance, range(len(GROUPS))
        hyper = self._hyper(coder, ENHANCE_HYPER, (items, 1, 1), wanted)
        base = torch.cat([*known[0][1:], *known[1]], 1)
        features = prior.features(_filled(hyper), _filled(base))
        return [hyper, *self._groups(coder, prior, features, groups, ENHANCE_TABLES, items, _after(wanted))]

    def _groups(
        self,
        coder: SymbolCoder,
        prior: Exact,
        features: Tensor,
        groups: range,
        tables: Sequence[str],
        items: int,
        wanted: Layer | None,
    ) -> Layer:
        """Some groups of channels of so many items, one after the other; `features` are those of the first."""
        found = Layer()
        for place, group in enumerate(groups):
            own = None if wanted is None else wanted[place]
            found.append(self._indices(coder, tables[group], prior.parameters_of(group, features), items, own))
            if group + 1 < groups.stop:
                features = prior.following(group, features, _filled(found[-1]))
        return found

    def _hyper(self, coder: SymbolCoder, table: str, shape: tuple[int, int, int], wanted: Layer | None) -> Tensor:
        """Hyperpriors of so many items, rows, columns, int16 [N, 8, R, K]."""
        items, rows, columns = shape
        channels = np.tile(np.arange(HYPER_CHANNELS, dtype=np.int32).repeat(rows * columns), items)
        owners = np.arange(items).repeat(HYPER_CHANNELS * rows * columns)
        true = np.zeros(len(channels), np.int32)
        if wanted is not None:
            true = _numbers(wanted[0]) + HYPER_REACH
        symbols = coder.code(table, channels, true, owners)
        found = torch.from_numpy(symbols.astype(np.int16) - HYPER_REACH)
        return found.reshape(items, HYPER_CHANNELS, rows, columns).to(self.device)

    def _indices(self, coder: SymbolCoder, table: str, parameters: Tensor, items: int, wanted: Tensor | None) -> Tensor:
        """Indices of which these are the parameters [N, 2, C, h, w], int16 [items, C, h, w]; items may fill up."""
        own = parameters[:items]
        mean, scale = (_numbers(t) for t in own.unbind(1))
        true = np.zeros_like(mean) if wanted is None else _numbers(wanted)
        owners = np.arange(items).repeat(own[0, 0].numel())
        found = code_indices(coder, table, self.tables[table], Rows.of(mean, scale), true, owners)
        return torch.from_numpy(found.astype(np.int16)).reshape(items, *own.shape[2:]).to(self.device)


def _after(wanted: Layer | None) -> Layer | None:
    """What comes after a hyperprior."""
    return None if wanted is None else wanted[1:]


def _numbers(values: Tensor) -> Ints:
    return values.contiguous().cpu().numpy().ravel().astype(np.int32)


def _filled(values: Tensor) -> Tensor:
    """The last item again, up to a usual number: kernels are made for each number of items, so there should be few."""
    items = len(values)
    count = 1 << (items - 1).bit_length() if items <= 16 else -(-items // 16) * 16
    return torch.cat([values, values[-1:].expand(count - items, -1, -1, -1)]) if count > items else values
