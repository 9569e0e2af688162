"""The recipe of RMPGC: the transform, then the probability networks, then the synthesis."""
