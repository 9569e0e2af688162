"""`python -m progressive evaluate`: a codec beside its peers over a folder of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from progressive.evaluation.curves import Curve, curve, stream_points
from progressive.evaluation.peers import PEERS, check_peer
from progressive.evaluation.report import PROTOCOL, mean_rows, photo_rows, save, table
from progressive.files import check_writable
from progressive.photos import find_photos, read_photo
from progressive.registry import load_codec

DEFAULT_RATES = (0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.5)

FEW_PHOTOS = 4
"""Up to this many photos are listed one by one, not only on average."""


def evaluate(
    source: str,
    *,
    codec: str,
    against: Sequence[str],
    rates: Sequence[float],
    max_payload: int,
    output: Path,
    log: Callable[[str], None],
) -> None:
    """Measures, prints and saves; raises UsageError for an unknown codec or peer before any work starts."""
    coder = load_codec(codec)
    for peer in against:
        check_peer(peer)
    photos = find_photos(source)
    output.mkdir(parents=True, exist_ok=True)
    check_writable(output / "evaluation.json")
    systems = [codec, *against]
    curves: list[Curve] = []
    for number, path in enumerate(photos, 1):
        log(f"{number}/{len(photos)} {path.name}")
        original, limit = read_photo(path), max(rates)
        ours = stream_points(coder, original, max_bpp=limit, max_payload=max_payload)
        curves.append(curve(codec, path.stem, original, ours))
        curves += [curve(peer, path.stem, original, PEERS[peer](original, limit)) for peer in against]
    each = photo_rows(curves, systems, rates)
    rows = (each if len(photos) <= FEW_PHOTOS else []) + mean_rows(each, rates)
    settings = {"source": source, "codec": codec, "against": list(against), "max_payload": max_payload}
    save(output, curves, rows, systems, settings)
    log(f"{PROTOCOL}\n\n{table(rows, systems)}\n\nsaved {output}/evaluation.md, .json, .png")
