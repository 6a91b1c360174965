"""The machine and its processes: cores, memory, children, counts they share. Nothing of models."""
