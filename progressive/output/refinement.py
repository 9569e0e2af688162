"""A picture that was shown, in figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refinement:
    """One picture that was shown, and what it took to show it.

    Fields:
        time_s: since the first datagram came, in seconds; since sending began where sender and link are in the process.
        bytes: all bytes of the stream's datagrams received until then.
        layer: the highest layer that the picture shows; 0 is the base.
        psnr: in dB; None without the original, infinite if the picture equals it.
        coded_psnr: of a photo that was downscaled, at the size that was coded, beside the original at that size; None
            of others and without the original. `psnr` is always at the size of the original.
        expected_psnr: what the sender said of it, in dB; None if it has not, or said it after the picture was made.
        ms_ssim: 0..1; None without the original or for a picture below 161 pixels.
    """

    time_s: float
    bytes: int
    layer: int
    psnr: float | None = None
    ms_ssim: float | None = None
    expected_psnr: float | None = None
    coded_psnr: float | None = None

    @property
    def decibels(self) -> float | None:
        """PSNR as measured, or else as expected."""
        return self.expected_psnr if self.psnr is None else self.psnr
