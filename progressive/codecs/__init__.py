"""The codecs, one folder each; none imports another."""
