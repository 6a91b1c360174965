"""Asking a model: the commands `predict` and `transform`, over one port to whatever answers."""
