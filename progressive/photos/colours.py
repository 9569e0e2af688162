"""Colours of photos: whatever a file says they are becomes sRGB.

A file has a profile inside, or names its colours: by a chunk of PNG, a box of AVIF, the interoperability of EXIF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from progressive.photos import icc
from progressive.photos.png_chunks import chunks

Tell = Callable[[str], None]
"""Takes a line that a person should read."""

PROFILE = "icc_profile"
"""Where Pillow keeps a profile."""

SAME_WITHIN = 3
"""Profiles under which no colour moves by more are sRGB under another name: pictures of those stay as they are."""

MOST_NAME = 60

_HEAD_BYTES = 1 << 16
_PRIMARIES = {1: icc.SRGB_PRIMARIES, 9: icc.BT2020_PRIMARIES, 12: icc.P3_PRIMARIES}
_CURVES = dict.fromkeys((1, 6, 13, 14, 15), icc.srgb) | {4: icc.power(2.2), 5: icc.power(2.8), 8: icc.power(1.0)}
"""Numbers of ITU-T H.273; the camera's curve of BT.709 is shown as sRGB, which is how pictures are made with it."""


def to_srgb(image: Image.Image, path: Path | str | None, tell: Tell) -> Image.Image:
    """The picture in sRGB; as it is if nothing says that its colours are others, or if what says so is damaged."""
    try:
        profile = image.info.get(PROFILE) or _named(image, path)
        return _converted(image, profile, tell) if profile else image
    except Exception:  # noqa: BLE001 - colours that nobody can read are no reason to refuse a picture
        tell("a colour profile is damaged or for other pictures, its colours are taken as sRGB")
        return image


def _converted(image: Image.Image, profile: bytes, tell: Tell) -> Image.Image:
    from PIL import ImageCms

    source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    image = _in_space(image, source.profile.xcolor_space.strip())
    transparent = image.mode == "RGBA"
    transform = ImageCms.buildTransform(
        source,
        target,
        image.mode,
        "RGBA" if transparent else "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if image.mode != "CMYK" and _changes_nothing(transform, image.mode):
        return image
    converted = transform.apply(image)
    assert converted is not None
    if transparent:
        converted.putalpha(image.getchannel("A"))
    name = "".join(c for c in source.profile.profile_description or "" if c.isprintable()).strip()[:MOST_NAME]
    tell(f"colours ({name or 'of a profile without a name'}) are converted to sRGB")
    return converted


def _in_space(image: Image.Image, space: str) -> Image.Image:
    """The picture in a mode that a profile of this colour space is for; raises ValueError if there is none."""
    grey = image.mode in {"1", "L", "I;16"}
    match space:
        case "CMYK" if image.mode == "CMYK":
            return image
        case "GRAY" if grey:
            return image.convert("L") if image.mode == "1" else image
        case "RGB" if image.mode in {"RGB", "RGBA"}:
            return image
        case "RGB" if image.mode in {"1", "L", "LA", "P", "PA", "RGBX", "RGBa"}:
            return image.convert("RGBA" if image.has_transparency_data else "RGB")
        case _:
            raise ValueError(f"a profile of {space} is not for {image.mode}")


def _changes_nothing(transform: object, mode: str) -> bool:
    from PIL import ImageCms

    assert isinstance(transform, ImageCms.ImageCmsTransform)
    if mode in {"L", "I;16"}:
        before = np.arange(256, dtype=np.uint8)[None]
        sample = Image.fromarray(before if mode == "L" else before.astype(np.uint16) * 257)
        before = np.repeat(before[..., None], 3, 2)
    else:
        before = np.stack(np.meshgrid(*[np.arange(0, 256, 17, dtype=np.uint8)] * 3), -1).reshape(1, -1, 3)
        sample = Image.fromarray(before).convert(mode)
    after = transform.apply(sample)
    assert after is not None
    moved = np.asarray(after)[..., :3].astype(int) - before
    return bool(np.abs(moved).max() <= SAME_WITHIN)


def _named(image: Image.Image, path: Path | str | None) -> bytes:
    """A profile of the colours that a file without one names; empty if it names none, or sRGB."""
    match image.format:
        case "PNG" if path is not None:
            return _of_png(image, path)
        case "AVIF" | "JPEG2000" if path is not None:
            with Path(path).open("rb") as file:
                return _of_boxes(file.read(_HEAD_BYTES))
        case "JPEG" | "MPO":
            exif = image.getexif()
            interoperability = exif.get_ifd(ExifTags.IFD.Interop).get(1, "") if exif else ""
            if str(interoperability).startswith("R03"):
                return icc.colour_profile(icc.power(563 / 256), icc.ADOBE_RGB_PRIMARIES, name="Adobe RGB")
    return b""


def _of_png(image: Image.Image, path: Path | str) -> bytes:
    with Path(path).open("rb") as file:
        code = next((data for kind, data in chunks(file, {b"cICP", b"IDAT"}, most=4) if kind == b"cICP"), b"")
    if len(code) == 4:
        return _of_code(code[0], code[1], name="by its cICP")
    gamma = image.info.get("gamma")
    if not gamma or "srgb" in image.info:
        return b""
    curve = icc.srgb if abs(gamma * 2.2 - 1) < 0.05 else icc.power(1 / gamma)
    if image.mode in {"1", "L", "LA", "I;16"}:
        return icc.grey_profile(curve, name="by its gAMA") if image.mode != "LA" else b""
    found = image.info.get("chromaticity", (*icc.D65, *icc.SRGB_PRIMARIES))
    return icc.colour_profile(curve, found[2:8], found[:2], name="by its gAMA and cHRM")


def _of_boxes(head: bytes) -> bytes:
    """From the `colr` box of AVIF or JPEG 2000, which is near its beginning."""
    place = head.find(b"colr")
    if place < 4:
        return b""
    box = head[place + 4 : place - 4 + struct.unpack_from("!I", head, place - 4)[0]]
    if box.startswith(b"nclx") and len(box) >= 8:
        primaries, transfer = struct.unpack_from("!HH", box, 4)
        return _of_code(primaries, transfer, name="by its nclx")
    return box[3:] if box.startswith(b"\2") else b""


def _of_code(primaries: int, transfer: int, name: str) -> bytes:
    """By numbers of H.273; those that stand for `unspecified` and for what is close to sRGB are taken as sRGB."""
    if transfer in {16, 18}:
        raise ValueError("brightness beyond white, as of HDR, has no profile")
    curve = _CURVES.get(transfer, icc.srgb)
    return icc.colour_profile(curve, _PRIMARIES.get(primaries, icc.SRGB_PRIMARIES), name=name)
