"""The recurrent codec of Wang et al. (2019): iterations of an encoder, a binariser and a decoder that remember."""
