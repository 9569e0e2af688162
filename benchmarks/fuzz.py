"""The fuzz tests with many cases: packets, sessions, files, what comes over HTTP and over channels; and what is well
formed but
hostile: claims, sequences, streams, recorded packets.

    python -m benchmarks.fuzz [--cases 1000000] [--seed N]

It fails for a crash, a wrong segment, and for more than MEMORY_BOUND of resident memory in any process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = sorted(ROOT.glob("tests/**/test_*fuzz.py"))


MEMORY_BOUND = 1 << 30
"""Bytes: torch, weights and Hypothesis take some 600 MB; what a receiver keeps of its peers has bounds
far below the rest."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=100_000, help="in all, shared among the tests")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    count = sum(file.read_text().count("\n@fuzz\n") for file in TESTS)
    environment = os.environ | {"PROGRESSIVE_FUZZ_CASES": str(-(-args.cases // count))}
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", f"--hypothesis-seed={args.seed}", *map(str, TESTS)]
    start = time.perf_counter()
    status = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"memory: {peak / 1e6:.0f} MB at most, the bound is {MEMORY_BOUND / 1e6:.0f} MB")
    if peak > MEMORY_BOUND:
        sys.exit("more memory than the bound allows")
    print(f"{args.cases} cases of {count} tests in {time.perf_counter() - start:.0f} s: no crash, no wrong segment")


if __name__ == "__main__":
    main()
