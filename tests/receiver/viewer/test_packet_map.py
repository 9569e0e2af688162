from receiver.events import PacketReceived, PacketRecovered
from receiver.viewer.packet_map import MOST_FATES, PacketMap


def packet(sequence, kind="source", blocks=((0, 3),), index=0, late=False):
    return PacketReceived(1, 0.0, sequence, kind, blocks, index, 100, late, 1, 1)


def test_fates_are_in_the_order_of_sending():
    packets = PacketMap()
    packets.add(packet(0))
    packets.add(packet(3, "parity", index=3))
    packets.add(packet(1, index=1, late=True))
    packets.add(packet(4, "control", blocks=()))
    assert packets.fates == "sSxpc"
    assert packets.late == 1


def test_a_block_tells_what_arrived_and_what_was_restored():
    packets = PacketMap()
    packets.add(packet(0, index=1))
    packets.add(packet(1, "parity", index=3))
    block = packets.blocks[0]
    assert (bytes(block.sources), len(block.parity), block.whole) == (b".s.", 1, False)
    packets.add(packet(2, "parity", index=4))
    assert block.whole
    packets.restore(PacketRecovered(1, 0, 0))
    packets.restore(PacketRecovered(1, 0, 1))
    assert bytes(block.sources) == b"rs."


def test_a_striped_packet_is_of_every_block():
    packets = PacketMap()
    for index in range(3):
        packets.add(packet(index, "stripes", blocks=((0, 2), (1, 5)), index=index))
    assert [block.whole for block in packets.blocks.values()] == [True, False]


def test_who_listens_late_is_not_told_of_losses_before():
    packets = PacketMap()
    packets.add(packet(5000))
    packets.add(packet(5002))
    packets.add(packet(4000))
    assert (packets.start, packets.fates) == (5000, "sxs")


def test_memory_is_bounded_whatever_the_numbers():
    packets = PacketMap()
    for sequence in (*range(0, 3 * MOST_FATES, 2), 10**6, 10**6 + 60_000):
        packets.add(packet(sequence, blocks=((sequence, 1),)))
        assert len(packets.fates) <= MOST_FATES
    assert len(packets.blocks) <= 512
    assert packets.fates.endswith("s")
