"""Entropy coding with integer probabilities: the same bytes decode to the same symbols on any machine."""
