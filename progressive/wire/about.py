"""What a sender may say of a photo beside its pixels: how it is called, when and where it was taken."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

import msgpack
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from progressive.errors import WireError

MAX_ABOUT = 253
"""Bytes at most: an item of a manifest."""

MAX_NAME = 100
"""Letters of a name at most."""

MAX_NAME_BYTES = 120


class About(BaseModel):
    """What is known of a photo; what is not is left out.

    Fields:
        name: of its file, without a folder; empty if there is none.
        taken: when, as ISO 8601, such as 2030-01-31T18:00:00+01:00; the difference from UTC only if it is known.
        latitude, longitude: where, in degrees, north and east positive.
        altitude_m: above the sea, in metres.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(max_length=MAX_NAME)] = ""
    taken: Annotated[str, Field(max_length=32)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    altitude_m: Annotated[float, Field(ge=-100_000, le=100_000)] | None = None

    @field_validator("name")
    @classmethod
    def _name_of_a_file(cls, name: str) -> str:
        if not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
            raise ValueError("no name of a photo")
        return name

    @field_validator("taken")
    @classmethod
    def _time(cls, taken: str) -> str:
        if taken:
            datetime.fromisoformat(taken)
        return taken

    def to_bytes(self) -> bytes:
        """A msgpack map of what is known."""
        packed: bytes = msgpack.packb(self.in_values())
        return packed

    def fitted(self, limit: int = MAX_ABOUT) -> Self:
        """The same in `limit` bytes at most: of a name that is too long the beginning, without what does not fit."""
        fitting, limit = self, max(1, limit)  # a byte says that nothing is known
        while len(fitting.to_bytes()) > limit and fitting.name:
            fitting = fitting.model_copy(update={"name": fitting.name[:-1]})
        return fitting if len(fitting.to_bytes()) <= limit else type(self)(name=self.name).fitted(limit)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parses what `to_bytes` made; raises WireError for anything else."""
        if len(data) > MAX_ABOUT:
            raise WireError(f"{len(data)} bytes about a photo, the limit is {MAX_ABOUT}")
        try:
            fields = msgpack.unpackb(
                data, max_map_len=16, max_str_len=MAX_ABOUT, max_array_len=0, max_bin_len=0, max_ext_len=0
            )
            return cls.model_validate(fields)
        except ValidationError as error:
            raise WireError(f"what is said of a photo has wrong fields: {error.errors()[0]['msg']}") from error
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise WireError("what is said of a photo is not a msgpack map") from error

    @property
    def is_empty(self) -> bool:
        return not self.in_values()

    def in_words(self) -> str:
        """In one line; empty if nothing is known."""
        place = ""
        if self.latitude is not None and self.longitude is not None:
            north, east = "NS"[self.latitude < 0], "EW"[self.longitude < 0]
            place = f"at {abs(self.latitude):.6f} {north} {abs(self.longitude):.6f} {east}"
        height = "" if self.altitude_m is None else f"{self.altitude_m:.0f} m above the sea"
        taken = self.taken and f"taken {self.taken.replace('T', ' ')}"
        return ", ".join(filter(None, (self.name, taken, place, height)))

    def in_values(self) -> dict[str, str | float]:
        """As a JSON object, what is known."""
        return self.model_dump(exclude_defaults=True)
