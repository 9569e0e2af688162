"""The processes that train together: one, or as many as `torchrun` has started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from progressive.errors import UsageError
from progressive.suggestions import use_one_of

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the processes. Fields: its number, how many there are, the device it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether it is the one that evaluates, logs and writes."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Makes every process's gradients the mean of all processes' gradients."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        means = torch.split_with_sizes(flat / self.count, [g.numel() for g in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Worker]:
    """This process as one of those that `torchrun` has started, or alone; raises UsageError if it lacks the device.

    `device` is auto (a GPU if there is one), cpu or cuda; each process of a machine takes a GPU of its own.
    """
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}: {use_one_of(device, DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("this machine has no GPU that torch can use: train with --device cpu")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    chosen = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}") if on_gpu else torch.device("cpu")
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Worker(0, 1, chosen)
        return
    if on_gpu:
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Worker(dist.get_rank(), count, chosen)
    finally:
        dist.destroy_process_group()
