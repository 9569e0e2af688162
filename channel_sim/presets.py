"""Named channels: six error patterns of packet networks, by mean loss and mean burst length."""

from __future__ import annotations

from typing import NamedTuple

from channel_sim.link import LinkSettings
from progressive.loss_model import LossModel


class Preset(NamedTuple):
    """A link and what it stands for."""

    settings: LinkSettings
    summary: str


PRESETS: dict[str, Preset] = {
    "none": Preset(LinkSettings(), "a perfect link"),
    "ep1": Preset(LinkSettings(LossModel(0.0021, 6.5)), "rare but long bursts"),
    "ep2": Preset(LinkSettings(LossModel(0.031, 1.6)), "light losses, short bursts"),
    "ep3": Preset(LinkSettings(LossModel(0.065, 5.0)), "moderate losses, long bursts"),
    "ep4": Preset(LinkSettings(LossModel(0.138, 1.7)), "heavy losses, short bursts"),
    "ep5": Preset(LinkSettings(LossModel(0.214, 10.0)), "heavy losses, very long bursts"),
    "ep6": Preset(LinkSettings(LossModel(0.324, 2.7)), "a third of all packets lost"),
}
