"""Materials made by hand."""

import numpy as np

from experiments.material import Material, Pieces, chain_needs

PACKET = 1000


def chain(packets: int, *, first_picture: int = 1, base: int = 1, decode_s: float = 0.0) -> Material:
    """Packets of 1,000 bytes that each take a tenth of the distortion that the ones before left; grey has 0 dB."""
    needs = chain_needs(packets)
    left = 255.0**2 * 300 * 0.1 ** np.maximum(0, np.arange(packets + 1) - first_picture + 1)
    similarity = np.linspace(0, 1, packets + 1)
    return Material(
        sizes=np.full(packets, PACKET),
        needs=needs,
        utility=-np.diff(left),
        base=base,
        first_picture=first_picture,
        pieces=Pieces(np.arange(packets), needs, -np.diff(left), np.diff(similarity)),
        grey=left[0],
        grey_similarity=0.0,
        samples=300,
        decode_s=decode_s,
    )


def whole(packets: int) -> Material:
    """Only all packets together show anything: then 10 dB instead of 0."""
    return chain(packets, first_picture=packets, base=packets)


def star(leaves: int) -> Material:
    """A first packet with two pieces, and leaves that each need the first piece and remove as much as the others."""
    packets = 1 + leaves
    piece_needs = np.full((packets + 1, 1), packets + 1)
    piece_needs[2:] = 0
    return Material(
        sizes=np.full(packets, PACKET),
        needs=np.array([[packets], *([0] for _ in range(leaves))]),
        utility=np.array([50.0, *([40.0 / leaves] * leaves)]),
        base=1,
        first_picture=1,
        pieces=Pieces(
            np.array([0, 0, *range(1, packets)]),
            piece_needs,
            np.array([45.0, 5.0, *([40.0 / leaves] * leaves)]),
            np.array([0.5, 0.1, *([0.3 / leaves] * leaves)]),
        ),
        grey=100.0,
        grey_similarity=0.0,
        samples=300,
        decode_s=0.0,
    )
