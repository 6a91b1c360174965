"""Many models at a time, each in a process of its own. Nothing of HTTP, whose wing asks these."""
