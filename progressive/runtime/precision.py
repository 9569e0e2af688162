"""How precisely pictures are computed: the last bit of a picture may differ between machines, a latent never does."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def fast_floats(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 convolutions where the processor has them; what a network adds to the linear picture is small."""
    if device.type == "cpu" and _multiplies_bfloat16():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def _multiplies_bfloat16() -> bool:
    names = "_is_amx_tile_supported", "_is_avx512_bf16_supported"
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in names)
