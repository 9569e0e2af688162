"""Sender, link and receiver in one process."""
