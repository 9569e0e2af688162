"""Trains the label-guided codec: segmentation, label maps, then the codec in two stages."""
