"""The recipe of the recurrent codec: the linear start in closed form, the networks, then the probabilities of codes."""
