"""What tells photos from pictures: three networks that look at patches, at three resolutions.

Multi-scale patch discriminators (Wang et al. 2018, "pix2pixHD"), which see beside a picture how much is known of each
block (the paper's condition U, RMPGC Eq. 30).

Legend: N pictures; H, W multiples of 64; R x K blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.layout import BLOCK

COUNT = 3
"""The second and the third see the picture at a half and a quarter of its resolution."""

WIDTH = 32
SLOPE = 0.2


class Patches(nn.Sequential):
    """Pictures and their condition [N, 4, h, w] -> a verdict on each patch of about 40 pixels, [N, 1, h / 8, w / 8]."""

    def __init__(self) -> None:
        widths = [WIDTH, 2 * WIDTH, 4 * WIDTH]
        layers: list[nn.Module] = []
        for before, width in zip([4, *widths], widths, strict=False):
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))


class Discriminators(nn.ModuleList):
    """One for each resolution."""

    def __init__(self) -> None:
        super().__init__([Patches() for _ in range(COUNT)])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def verdicts(self, pictures: Tensor, known: Tensor) -> list[Tensor]:
        """Of each network, one a patch: towards 1 for a photo, towards 0 for a picture.

        Args:
            pictures: or photos, RGB around 0..1 [N, 3, H, W].
            known: how much is known of each block, 0..1 [N, R, K].
        """
        blocks = F.interpolate(known.to(pictures.dtype)[:, None], scale_factor=BLOCK, mode="nearest")
        seen = torch.cat([2 * pictures - 1, blocks], 1).contiguous(memory_format=torch.channels_last)
        found = []
        for patches in self:
            found.append(patches(seen))
            seen = F.avg_pool2d(seen, 2)
        return found


def deceiving(verdicts: Iterable[Tensor]) -> Tensor:
    """What a synthesis loses that its pictures are told from photos (RMPGC, Eq. 7)."""
    return torch.stack([(of.float() - 1).square().mean() for of in verdicts]).sum()


def telling_apart(of_photos: Iterable[Tensor], of_pictures: Iterable[Tensor]) -> Tensor:
    """What discriminators lose that do not tell photos from pictures (RMPGC, Eq. 4)."""
    pairs = zip(of_photos, of_pictures, strict=True)
    return torch.stack([(a.float() - 1).square().mean() + b.float().square().mean() for a, b in pairs]).sum()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """What is computed inside gives the module's own weights no gradients."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
