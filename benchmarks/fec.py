"""Speed of erasure coding across packets: our blocks (zfec) and, side by side, reedsolo.

    python -m benchmarks.fec [--k 32] [--n 48] [--size 1200]

MB/s count the source bytes of a block. Decoding restores from the packets left when the first n - k sources are lost.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import reedsolo

from progressive.wire.fec import BlockDecoder, BlockEncoder


def megabytes_per_second(work: Callable[[], object], size: int, seconds: float) -> float:
    work()
    rounds, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or not rounds:
        work()
        rounds += 1
    return rounds * size / elapsed / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--n", type=int, default=48)
    parser.add_argument("--size", type=int, default=1200, help="bytes a packet")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement of zfec")
    args = parser.parse_args()
    k, n, size = args.k, args.n, args.size
    rng = random.Random(0)
    sources = [rng.randbytes(size) for _ in range(k)]
    lost = min(k, n - k)

    def encode_zfec() -> list[bytes]:
        return BlockEncoder(sources).payloads(range(k, n))

    parity = encode_zfec()
    packets = list(enumerate(sources + parity))[lost : lost + k]

    def decode_zfec() -> dict[int, bytes]:
        decoder = BlockDecoder(k)
        for index, payload in packets:
            restored = decoder.add(index, payload)
        return restored

    assert decode_zfec() == dict(enumerate(sources[:lost]))

    # reedsolo codes bytes, so a codeword takes one byte of every packet; a few columns are enough to tell its speed.
    columns = [bytes(source[j] for source in sources) for j in range(min(size, 100))]
    codec = reedsolo.RSCodec(n - k, nsize=n)
    codewords = [codec.encode(column) for column in columns]
    erased = [bytearray(lost) + codeword[lost:] for codeword in codewords]

    def encode_reedsolo() -> list[bytearray]:
        return [codec.encode(column) for column in columns]

    def decode_reedsolo() -> list[bytes]:
        return [bytes(codec.decode(codeword, erase_pos=list(range(lost)))[0]) for codeword in erased]

    assert decode_reedsolo() == columns

    print(f"k {k}, n {n}, {size} bytes a packet, {lost} sources restored; MB/s of source bytes")
    print(f"{'':10} {'encode':>9} {'decode':>9}")
    for name, encode, decode, total in (
        ("ours, zfec", encode_zfec, decode_zfec, k * size),
        ("reedsolo", encode_reedsolo, decode_reedsolo, k * len(columns)),
    ):
        speeds = [megabytes_per_second(work, total, args.seconds) for work in (encode, decode)]
        print(f"{name:10} {speeds[0]:9.2f} {speeds[1]:9.2f}")


if __name__ == "__main__":
    main()
