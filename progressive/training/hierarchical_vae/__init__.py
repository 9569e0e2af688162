"""Trains the hierarchical VAE: prior, encoder and decoder, then the prior in integers."""
