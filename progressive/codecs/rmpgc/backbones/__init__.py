"""Backbones of RMPGC: each makes a layered latent of a photo, and pictures of what is known of it."""
