"""The recipe of the dual autoencoder: linear parts in closed form, tables by counting, the filter by gradient."""
