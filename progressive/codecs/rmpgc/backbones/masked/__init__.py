"""What the paper's own backbones share: a base of whole tiles, and an enhance layer of the blocks that a mask chose."""
