"""Archive → engine → pipeline → golden check. Nothing of HTTP, and nothing that makes archives."""
