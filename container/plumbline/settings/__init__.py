"""The environment, read once, frozen. Nothing else looks at it."""
