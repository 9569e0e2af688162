"""Receivers that come and go at a sender that serves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiverJoined:
    """A receiver is there, at this address or under this name."""

    to: str


@dataclass(frozen=True, slots=True)
class ReceiverLeft:
    """A receiver is gone, and why."""

    to: str
    reason: str
