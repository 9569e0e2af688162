"""The paper's first backbone (RMPGC Fig. 7 to 10): eight channels of five levels at 1/8, for a GAN."""
