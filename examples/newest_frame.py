"""A camera whose driver calls back, as in ROS: the newest frame is sent, and older ones are dropped.

python -m receiver --from udp://127.0.0.1:9322 --view
python examples/newest_frame.py udp://127.0.0.1:9322
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator

import numpy as np

import progressive

FRAMES, PER_SECOND = 60, 20
SIDE = 160
QUICK = "dual_autoencoder"
"""A codec that takes a few hundredths of a second a frame."""


class NewestFrame:
    """One place for a frame: `put` from any thread, and whoever iterates gets the newest each time, then the end."""

    def __init__(self) -> None:
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._frame: np.ndarray | None = None
        self._over = False

    def put(self, frame: np.ndarray | None) -> None:
        """The callback: replaces the frame that nobody has taken yet; None ends the sequence."""
        self._loop.call_soon_threadsafe(self._put, frame)

    def _put(self, frame: np.ndarray | None) -> None:
        self._over = frame is None
        self._frame = self._frame if frame is None else frame
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[np.ndarray]:
        while True:
            while self._frame is None:
                if self._over:
                    return
                self._changed.clear()
                await self._changed.wait()
            frame, self._frame = self._frame, None
            yield frame


def camera(callback: NewestFrame) -> None:
    """Stands for a driver with a thread of its own: a bright square that crosses a dark field."""
    pause = threading.Event()
    for number in range(FRAMES):
        frame = np.full((SIDE, SIDE, 3), 40, np.uint8)
        left = number * (SIDE - 40) // FRAMES
        frame[60:100, left : left + 40] = 220
        callback.put(frame)
        pause.wait(1 / PER_SECOND)
    callback.put(None)


async def main(url: str) -> progressive.Sent:
    newest = NewestFrame()
    threading.Thread(target=camera, args=(newest,), daemon=True).start()
    sent = await progressive.send(newest, url, codec=QUICK, bandwidth="50kbps", deadline="2s")
    print(f"frames that came: {FRAMES}; sent: {sent.streams}, in {sent.wire_bytes} bytes")
    return sent


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
