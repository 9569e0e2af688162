"""Weights that this project trained, a safetensors file and a model card each."""
