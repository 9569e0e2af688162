"""Rectangles of whatever a codec's tiles are made of: blocks, cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of units."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> int:
        return self.height * self.width

    def inside(self, other: Rectangle) -> Self:
        """The same units, counted from the first one of another rectangle."""
        return type(self)(self.top - other.top, self.left - other.left, self.height, self.width)

    def common(self, other: Rectangle) -> Self | None:
        """The units that are in both."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        height = min(self.top + self.height, other.top + other.height) - top
        width = min(self.left + self.width, other.left + other.width) - left
        return type(self)(top, left, height, width) if height > 0 and width > 0 else None

    def slices(self, side: int = 1) -> tuple[slice, slice]:
        """Its rows and columns in a grid that has `side` positions a unit along each axis."""
        return (
            slice(self.top * side, (self.top + self.height) * side),
            slice(self.left * side, (self.left + self.width) * side),
        )
