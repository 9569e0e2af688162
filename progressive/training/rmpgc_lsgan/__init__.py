"""The recipe of RMPGC's LS-GAN backbone."""
