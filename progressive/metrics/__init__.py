"""How good a picture is, measured against the original."""

from progressive.metrics.pixelwise import psnr
from progressive.metrics.structural import ms_ssim

__all__ = ["ms_ssim", "psnr"]
