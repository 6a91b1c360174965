"""Pictures by link: which may be followed, and how. Nothing of what becomes of the bytes."""
