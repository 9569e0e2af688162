"""What a display observes of a receiver, made up."""

from pathlib import Path

from progressive.codec import DecoderStatus
from progressive.output.refinement import Refinement
from progressive.stream import StreamHeader
from receiver.events import PacketReceived
from receiver.reception import PictureShown

HEADER = StreamHeader(200, bytes(8), 64, 48, 9)
STATUS = DecoderStatus(base_complete=True, layer=1, decoded=3, waiting=0, grey=0.0, coarse=0.25)


def received(stream, sequence, time_s=0.0, *, received=1, expected=1):
    return PacketReceived(stream, time_s, sequence, "source", ((0, 4),), sequence % 4, 100, False, received, expected)


def shown(name, number, psnr=None):
    return PictureShown(name, Path(f"{number}.png"), Refinement(0.5 * number, 100 * number, 1, psnr), STATUS, 0.1)
