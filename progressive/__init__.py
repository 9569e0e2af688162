"""The codec library and the vocabulary that sender and receiver share."""

__version__ = "0.1.0"
