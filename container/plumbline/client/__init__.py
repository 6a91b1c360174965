"""Asking a model, over one port to whatever answers. Nothing here loads or serves one."""
