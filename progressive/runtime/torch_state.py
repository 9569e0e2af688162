"""What callers may have set in torch and NumPy is put aside while a codec computes, and stands again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

_lock = threading.Lock()
_inside = 0
_put_back = ExitStack()


@contextmanager
def neutral() -> Iterator[None]:
    """Codecs compute the same here whatever their caller, or another thread, has set.

    Put aside are autocast, the default device and NumPy's error state of this thread; and of the process the default
    dtype, lower precisions of float32, a oneDNN that is switched off, and the demand for deterministic algorithms,
    which some sums on CUDA cannot meet. The latter stand again when no thread is inside any more.
    """
    import torch

    with ExitStack() as stack:
        stack.enter_context(_process_wide())
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":  # not always: it makes every call of torch slower
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def _process_wide() -> Iterator[None]:
    """Threads come and go in any order: the first one in puts aside, the last one out puts back."""
    global _inside  # noqa: PLW0603 - what it counts is the process's as well
    with _lock:
        if not _inside:
            _put_aside(_put_back)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _put_back.close()


def _put_aside(put_back: ExitStack) -> None:
    """Changes only what is not neutral already, and notes what changes it back."""
    import torch

    def change(setter: Callable[..., object], before: object, *neutral: object) -> None:
        if before not in neutral:
            put_back.callback(setter, before)
            setter(neutral[0])

    def set_deterministic(demanded: tuple[bool, bool]) -> None:
        torch.use_deterministic_algorithms(demanded[0], warn_only=demanded[1])

    backends: Any = torch.backends
    change(torch.set_default_dtype, torch.get_default_dtype(), torch.float32)
    demanded = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    change(set_deterministic, demanded, (False, False))
    change(lambda on: setattr(backends.mkldnn, "enabled", on), backends.mkldnn.enabled, True)
    # TF32 in convolutions on CUDA, which is torch's own default, costs a picture nothing that can be seen.
    for holder in (backends.mkldnn.matmul, backends.mkldnn.conv, backends.cuda.matmul):

        def set_precision(precision: str, holder: Any = holder) -> None:
            holder.fp32_precision = precision

        change(set_precision, holder.fp32_precision, "ieee", "none")
