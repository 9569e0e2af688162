"""The same loss from the kernel's netem and from the channel simulator: is the picture as good?

    python -m benchmarks.netem [PHOTO] [--runs 6] [--loss 10%] [--burst 3] [--bandwidth 50kbps]

A sender and a receiver in two network namespaces, joined by a virtual cable whose ends lose packets by netem's
Gilbert-Elliott chain, beside runs over a simulated link with the same chain. PSNR after some seconds and at the end,
means with their standard errors. Needs root, iproute2 and a kernel with netem; without them it says so and ends well.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from progressive.errors import RunError, UsageError
from progressive.loss_model import LossModel
from progressive.photos import sample_photo, write_png
from progressive.units import parse_bandwidth, parse_percent

SENDER, RECEIVER = "progressive-sender", "progressive-receiver"
"""The namespaces."""
ADDRESSES = {SENDER: "10.213.0.1", RECEIVER: "10.213.0.2"}
PORT = 9000
EARLY_S = 3.0
READY_S = 60.0


def command(*words: str) -> None:
    """Runs a command of the system's; raises UsageError with what it said if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"{' '.join(words)}: {' '.join(done.stderr.split()) or 'failed'}")


@contextmanager
def lossy_cable(model: LossModel) -> Iterator[None]:
    """Two namespaces and a cable between them that loses packets both ways; nothing of it is left afterwards."""
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            raise UsageError(f"there is no {tool} here: install iproute2")
    made: list[str] = []
    try:
        for name in ADDRESSES:
            command("ip", "netns", "add", name)
            made.append(name)
        command("ip", "-n", SENDER, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", RECEIVER)
        for name, address in ADDRESSES.items():
            command("ip", "-n", name, "address", "add", f"{address}/30", "dev", "cable")
            command("ip", "-n", name, "link", "set", "cable", "up")
            command("tc", "-n", name, "qdisc", "add", "dev", "cable", "root", "netem", *netem_loss(model))
        yield
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def netem_loss(model: LossModel) -> list[str]:
    """The chain in netem's words."""
    return ["loss", "gemodel", f"{100 * model.to_bad:.6f}%", f"{100 * model.to_good:.6f}%"]


def through_namespaces(photo: Path, bandwidth: str, folder: Path) -> Path:
    """The report of a photo sent from one namespace to the other."""
    python = ["-m", "receiver", "--from", f"udp://{ADDRESSES[RECEIVER]}:{PORT}", "--reference", str(photo)]
    inside = ["ip", "netns", "exec"]
    with subprocess.Popen(
        [*inside, RECEIVER, sys.executable, *python, "--output", str(folder)], stdout=subprocess.PIPE, text=True
    ) as receiver:
        try:
            assert receiver.stdout is not None
            started_s = time.monotonic()
            for line in receiver.stdout:
                if line.startswith("listening at") or time.monotonic() - started_s > READY_S:
                    break
            to = f"udp://{ADDRESSES[RECEIVER]}:{PORT}"
            sending = [sys.executable, "-m", "sender", str(photo), "--to", to, "--bandwidth", bandwidth, "--quiet"]
            subprocess.run([*inside, SENDER, *sending], check=False)
            receiver.communicate(timeout=60)
        finally:
            receiver.kill()
    return folder / "report.json"


def simulated(photo: Path, bandwidth: str, model: LossModel, seed: int, folder: Path) -> Path:
    """The report of a photo sent over a simulated link on a virtual clock."""
    channel = f"ge:loss={model.loss},burst={model.burst}"
    words = ["--fast", "--quiet", "--bandwidth", bandwidth, "--channel", channel, "--seed", str(seed)]
    subprocess.run([sys.executable, "-m", "sender", str(photo), *words, "--output", str(folder)], check=False)
    return folder / "report.json"


def qualities(report: Path) -> tuple[float, float]:
    """PSNR in dB after some seconds, and at the end."""
    if not report.exists():
        raise RunError(f"{report} was not written: nothing of the photo arrived")
    events = json.loads(report.read_text())["events"]
    early = [event["psnr"] for event in events if event["time_s"] <= EARLY_S] or [0.0]
    return early[-1], events[-1]["psnr"]


def compare(photo: Path, bandwidth: str, model: LossModel, runs: int) -> Iterator[str]:
    """A line for each figure."""
    with tempfile.TemporaryDirectory() as scratch, lossy_cable(model):
        folder = Path(scratch)
        kernel = [qualities(through_namespaces(photo, bandwidth, folder / f"k{run}")) for run in range(runs)]
        ours = [qualities(simulated(photo, bandwidth, model, run, folder / f"s{run}")) for run in range(runs)]
    for column, what in enumerate((f"PSNR after {EARLY_S:g} s", "PSNR at the end")):
        yield row(what, [run[column] for run in kernel], [run[column] for run in ours])


def row(what: str, kernel: Sequence[float], ours: Sequence[float]) -> str:
    """Means, and how many standard errors lie between them."""
    means, errors = [np.mean(kernel), np.mean(ours)], [np.std(x, ddof=1) / math.sqrt(len(x)) for x in (kernel, ours)]
    apart = abs(means[0] - means[1]) / (math.hypot(*errors) or 1.0)
    return (
        f"{what}: netem {means[0]:.2f} +- {errors[0]:.2f} dB, simulator {means[1]:.2f} +- {errors[1]:.2f} dB, "
        f"{apart:.1f} standard errors apart: {'within noise' if apart < 2 else 'NOT the same'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photo", nargs="?", type=Path, help="a sample if left out")
    parser.add_argument("--runs", type=int, default=6, help="of each kind, at least 2; some ten seconds a run")
    parser.add_argument("--loss", type=parse_percent, default=0.1)
    parser.add_argument("--burst", type=float, default=3.0)
    parser.add_argument("--bandwidth", default="50kbps")
    args = parser.parse_args()
    try:
        parse_bandwidth(args.bandwidth)
        model = LossModel(args.loss, args.burst)
        with tempfile.TemporaryDirectory() as scratch:
            photo = args.photo or Path(scratch) / "sample.png"
            if args.photo is None:
                write_png(photo, sample_photo())
            for line in compare(photo, args.bandwidth, model, max(2, args.runs)):
                print(line)
    except UsageError as error:
        print(f"not measured: {error}")


if __name__ == "__main__":
    main()
