"""Trains RMPGC: the transform, then the probability networks, then the synthesis.

    photos -> transform -> indices -> probability networks -> bits
                              |-> values, under a condition -> inverse transform -> synthesis -> pictures

Beside the weights lies the state of the run while it lasts. Torch, numpy, Pillow and safetensors are all it needs until
it writes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from progressive.errors import UsageError
from progressive.training.rmpgc_loop import Log, Plan, Training
from progressive.training.rmpgc_model import Trainee
from progressive.training.rmpgc_photos import load_pools
from progressive.training.rmpgc_settings import PHASES, SHIPPED, Settings, read_settings
from progressive.training.workers import Worker, joined


def train(
    data: Sequence[Path],
    out: Path,
    *,
    photos: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str = "auto",
    settings: Path | None = None,
    profile: str | None = None,
    held_out: Path | None = None,
    log: Log,
) -> None:
    """Trains on the photos below the folders `data` and writes the weight file `out`.

    Under `torchrun` every process draws its own batch, and gradients are averaged. With `resume` it goes on from the
    state that an interrupted run left beside `out`, or else from the weights in `out`: networks and
    synthesis once more.

    Args:
        photos, steps: replace the number of photos, and that of every phase's steps.
        device: auto, cpu or cuda.
        settings: a TOML file like `rmpgc.toml`, which is used without one.
        profile: cpu or gpu, a table of it; what suits the device without one.
        held_out: a folder of photos to watch the progress on; without it some of `data` are set aside.

    Raises UsageError for wrong settings, without photos, and if there is nothing to resume.
    """
    with joined(device) as worker:
        chosen = read_settings(settings or SHIPPED, profile or ("gpu" if worker.device.type == "cuda" else "cpu"))
        run(
            data,
            out,
            settings=chosen.limited(photos=photos, steps=steps),
            held_out=held_out,
            seed=seed,
            resume=resume,
            worker=worker,
            log=log,
        )


def run(
    data: Sequence[Path],
    out: Path,
    *,
    settings: Settings,
    held_out: Path | None,
    seed: int,
    resume: bool,
    worker: Worker,
    log: Log,
) -> None:
    """`train` with every setting of the recipe open."""
    torch.manual_seed(seed)
    state = out.with_suffix(".state")
    model, plan, checkpoint = _beginning(out, state, settings, seed, resume=resume, worker=worker)
    pool, watched = load_pools(
        data,
        held_out,
        limit=settings.photos,
        set_aside=settings.held_out,
        side=max(settings.phase(name).crop for name in PHASES),
        seed=seed,
        device=worker.device,
    )
    if worker.leads:
        log(f"{len(pool.photos)} photos, {len(watched)} set aside, on {worker.count} x {worker.device.type}")
    training = Training(model, plan, settings, pool=pool, held_out=watched, worker=worker, state=state, log=log)
    training.run(checkpoint)
    if worker.leads:
        _write(out, model, pool.whole(settings.calibration_photos))
        state.unlink(missing_ok=True)
        log(f"wrote {out}")
    worker.wait()


def _beginning(
    out: Path, state: Path, settings: Settings, seed: int, *, resume: bool, worker: Worker
) -> tuple[Trainee, Plan, dict[str, Any] | None]:
    """The model to start with, what is to be done, and the checkpoint to go on from if there is one."""
    if not resume:
        return Trainee(), Plan(PHASES, resumed=False, seed=seed), None
    if state.is_file():
        checkpoint = torch.load(state, map_location=worker.device, weights_only=True)
        plan = checkpoint["plan"]
        return Trainee(), Plan(tuple(plan["phases"]), resumed=plan["resumed"], seed=plan["seed"]), checkpoint
    if out.is_file():
        # Mixing the weights into the seed makes each further run draw other crops than the one before.
        mixed = zlib.crc32(out.read_bytes(), seed)
        return _read(out), Plan(settings.resumed_phases, resumed=True, seed=mixed), None
    raise UsageError(f"nothing to resume: there is no {out}")


def _read(file: Path) -> Trainee:
    from progressive.training.rmpgc_export import read_model

    return Trainee(*read_model(file))


def _write(out: Path, model: Trainee, photos: list[torch.Tensor]) -> None:
    from progressive.training.rmpgc_export import fitted_coding, write_model

    model.cpu()
    coding = fitted_coding(model.networks, model.transform, photos)
    write_model(out, model.networks, coding, model.transform, model.synthesis)
