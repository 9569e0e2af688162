"""The errors of the project: ours, the peer's, and a run that failed.

`UsageError` means that our caller is wrong (exit status 2); `BitstreamError` and `WireError` mean that the peer, or a
damaged file, sent nonsense. On receive only the last two may happen, and they are counted and dropped, never fatal.
"""


class ProgressiveError(Exception):
    """Base of every error this project raises on purpose; its text is one line for a person to read.

    Fields:
        told: whether a person has read it already.
    """

    told = False


class UsageError(ProgressiveError):
    """The call is wrong: an argument, an unreadable input, an unwritable folder, a port in use (exit status 2)."""


class RunError(ProgressiveError):
    """The call was right but the run failed: no base arrived, the peer fell silent, disk full (exit status 1)."""


class BitstreamError(ProgressiveError):
    """A stream header, a segment or a file holds bytes that no encoder of ours writes."""


class WireError(ProgressiveError):
    """A datagram holds bytes that no sender of ours writes."""
