"""Comparisons of the simulator with theory: one module a topic; `python -m channel_sim validate` makes a page of them.

A topic has TITLE, NOTE (what is measured, with its sources), checks() and draw(figure); tests assert its checks.
"""

TOPICS = ("envelopes", "dynamics", "large_scale", "selective", "peer", "bit_errors", "bursts", "link")
"""Modules of this package, in the order of the page."""
