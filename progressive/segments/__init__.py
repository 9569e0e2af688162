"""What every codec needs of segments: their order, and those that wait for others."""
