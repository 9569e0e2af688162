"""Recipes that train the codecs: they need only torch, numpy, Pillow and safetensors."""
