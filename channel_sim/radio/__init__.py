"""What the air does to a signal: path loss, shadowing, motion and fading as a signal-to-noise ratio over time."""
