"""Threads, stopping, and the state of torch: how this process computes."""
