from __future__ import annotations

from torch import nn

from progressive.runtime.devices import copy_on


def test_a_model_stays_where_it_is_when_another_device_computes_with_it() -> None:
    module = nn.Linear(3, 4)
    there = copy_on(module, "meta")
    assert there.weight.device.type == "meta"
    assert module.weight.device.type == "cpu"
    assert copy_on(module, "cpu") is module
