"""How good a picture is, measured against the original; how well it is still recognised; how soon it was good."""

from progressive.metrics.pixelwise import psnr
from progressive.metrics.semantic import blockwise_si_ssim, si_ssim
from progressive.metrics.structural import ms_ssim, ssim

__all__ = ["blockwise_si_ssim", "ms_ssim", "psnr", "si_ssim", "ssim"]
