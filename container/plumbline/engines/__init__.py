"""What computes a model's outputs: one module an engine, all behind the port in `base.py`."""
