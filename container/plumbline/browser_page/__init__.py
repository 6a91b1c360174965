"""The page at `/`: its files as they are sent, and what it tells of the models. No HTTP."""
