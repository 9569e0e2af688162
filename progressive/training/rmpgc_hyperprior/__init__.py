"""Trains the hyperprior backbone of RMPGC: all of it under three conditions, then its decoder alone."""
