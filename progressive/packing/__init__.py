"""From segments to source packets: their order, and what shares a packet."""
