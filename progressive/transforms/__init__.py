"""Linear transforms of pictures that codecs share."""
