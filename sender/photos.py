"""The photos of a run, read and encoded one after the other, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from progressive.codec import ProgressiveCodec
from progressive.errors import RunError, UsageError
from progressive.runtime.background import in_background
from progressive.shell.display import Display
from sender.options import SenderOptions
from sender.prepare import PreparedPhoto, Source, prepare


class Photos:
    """The photos of a run that can be sent, one after the other; a single one that cannot be is an error."""

    def __init__(
        self, sources: Sequence[Source], options: SenderOptions, codec: ProgressiveCodec, display: Display
    ) -> None:
        self.unsent: list[str] = []
        self._sources = deque(sources)
        self._count = len(sources)
        self._options, self._codec, self._display = options, codec, display

    @property
    def are_left(self) -> bool:
        """Whether there are photos that nobody has tried to read."""
        return bool(self._sources)

    async def next(self) -> PreparedPhoto | None:
        """The next one, encoded; None after the last."""
        while self._sources:
            source = self._sources.popleft()
            try:
                return await in_background(
                    prepare,
                    source,
                    self._codec,
                    self._options.settings,
                    full_size=self._options.full_size,
                    context=self._options.context,
                    with_metadata=self._options.with_metadata,
                )
            except UsageError as error:
                if self._count == 1:
                    raise
                self._display.note(f"error: {error}")
                self.unsent.append(source.name)
        return None

    def check(self) -> None:
        """Raises RunError if some could not be read or sent."""
        if self.unsent:
            names = ", ".join(self.unsent)
            raise RunError(f"{len(self.unsent)} of {self._count} photos were not sent: {names}")
