"""The dual autoencoder of Taha et al. (2025), made progressive."""
