"""What two or more codecs use."""
