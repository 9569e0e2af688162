"""The hierarchical ResNet VAE of Qi et al. (2025), made progressive."""
