"""Pictures by link: which links may be followed, and how. Nothing of what is done with the bytes."""
