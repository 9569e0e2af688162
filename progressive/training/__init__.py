"""Recipes that train the networks, one folder each, over one loop; they need torch, numpy, Pillow and safetensors."""
