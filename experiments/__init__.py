"""Experiments: how whole systems, sources of packets and ways to deliver them, stand beside each other."""
