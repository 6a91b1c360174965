"""The one visible list of stages that a picture goes through, and who may enter. Nothing of HTTP."""
