"""What matters in a photo: class activation maps, an importance network, and what codecs make of their maps."""
