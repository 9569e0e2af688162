"""RMPGC: a multi-scale latent in nested planes, any packet of which helps (the `multiscale` backbone)."""
