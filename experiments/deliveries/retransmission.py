"""Retransmission: no parity; what is lost is sent again one round trip later, before anything new.

Feedback is assumed to be perfect and to cost nothing, which favours it: the sender knows of every loss a round trip
after the packet would have arrived, whatever happens on the way back.
"""

from __future__ import annotations

import math

import numpy as np

from experiments.deliveries.schedule import Delivered
from experiments.links import Links
from experiments.material import Material


def send_again(
    material: Material, links: Links, trials: int, *, bandwidth_bps: float, deadline_s: float, delay_s: float
) -> Delivered:
    """Sends the packets in order, lost ones again, until all have arrived or the deadline has come.

    Args:
        material: what is sent.
        links: one a trial.
        trials: how many.
        bandwidth_bps: all packets together may take.
        deadline_s: no packet ends later.
        delay_s: from the end of a packet to its arrival, and of its acknowledgement back.
    """
    sizes, count = material.sizes, len(material.sizes)
    every = np.arange(trials)
    there_s = np.full((trials, count), math.inf)
    due_s = np.full((trials, count), math.inf)  # when a packet that was lost may be sent again
    clock_s, sent_bytes = np.zeros(trials), np.zeros(trials)
    fresh = np.zeros(trials, dtype=np.intp)  # the first packet that was never sent
    active = np.ones(trials, dtype=np.bool_)
    while True:
        # what is due goes first, the earliest packet of it; else the next new one; else there is a wait
        waiting_s = due_s.min(axis=1)
        clock_s = np.where((waiting_s > clock_s) & (fresh == count), waiting_s, clock_s)
        active &= np.isfinite(clock_s)
        due = due_s <= clock_s[:, None]
        chosen = np.where(due.any(axis=1), due.argmax(axis=1), np.minimum(fresh, count - 1))
        end_s = clock_s + 8 * sizes[chosen] / bandwidth_bps
        active &= end_s <= deadline_s + 1e-9
        if not active.any():
            break
        arrival_s = links.send(np.minimum(clock_s, deadline_s), np.where(active, sizes[chosen], 1))
        lost = ~np.isfinite(arrival_s)
        rows, packets = every[active], chosen[active]
        there_s[rows, packets] = np.minimum(there_s[rows, packets], arrival_s[active])
        due_s[rows, packets] = np.where(lost, end_s + 2 * delay_s, math.inf)[active]
        sent_bytes[rows] += sizes[packets]
        fresh[rows] += packets == fresh[rows]
        clock_s[rows] = end_s[rows]
    of_sources = np.concatenate([[0], np.cumsum(sizes)])[fresh]
    return Delivered(there_s, sent_bytes, sent_bytes / np.maximum(of_sources, 1) - 1)
