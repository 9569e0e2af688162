"""The backbone of RMPGC's section V-H: base and enhance layers of a hyperprior codec, without a context model."""
