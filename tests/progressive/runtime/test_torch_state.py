import torch

from progressive.runtime.torch_state import neutral


def test_what_is_put_aside_stands_again_when_the_last_thread_is_out() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        first, second = neutral(), neutral()
        with first:
            second.__enter__()
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
