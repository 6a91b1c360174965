"""The one visible list of stages of a request, and who may enter. Nothing of HTTP."""
