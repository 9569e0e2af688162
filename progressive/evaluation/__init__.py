"""Rate against quality over a folder of photos, in real bytes, beside the formats that people use today."""
