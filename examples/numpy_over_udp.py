"""An array from one task to another over UDP, in one event loop: what arrives gets better.

python examples/numpy_over_udp.py
"""

from __future__ import annotations

import asyncio

import numpy as np

import progressive
from progressive.metrics import psnr
from progressive.photos import sample_photo

URL = "udp://127.0.0.1:9321"


async def watch(photo: np.ndarray, ready: asyncio.Event) -> np.ndarray:
    """Shows how good each picture is; returns the last one."""
    async for shown in progressive.receive(URL, wait="30s", tell=lambda _line: ready.set()):
        quality = f"PSNR {psnr(shown.picture, photo):.2f} dB"
        print(f"{shown.time_s:6.2f} s  {shown.bytes:6d} B  layer {shown.layer}  {quality}")
    return shown.picture


async def main() -> np.ndarray:
    photo = sample_photo("chelsea")
    ready = asyncio.Event()
    watching = asyncio.create_task(watch(photo, ready))
    await ready.wait()  # until somebody listens
    sent = await progressive.send(photo, URL, bandwidth="100kbps", deadline="5s")
    print(f"sent {sent.wire_bytes} bytes, {'all of it came' if sent.complete else 'as much as there was time for'}")
    return await watching


if __name__ == "__main__":
    asyncio.run(main())
