"""Simulated channels: seeded losses, links, presets, and a virtual clock to run sessions over them."""
