"""The sending end: order, packets, protection, pacing, a session without sockets or clocks."""
