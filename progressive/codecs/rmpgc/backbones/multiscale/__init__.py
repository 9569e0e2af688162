"""The default backbone: a multi-scale latent in nested planes."""
