"""The networks that recipes train, by their names."""
