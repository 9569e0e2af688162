"""The label-guided codec of Iwai et al. (2024), made progressive."""
