"""The recipe of the importance network: a classifier and Grad-CAM++ teach it."""
