"""Bodies in, bodies out, in every format. Nothing of HTTP, and nothing of models."""
