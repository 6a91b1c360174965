"""The edge: HTTP in, HTTP out. Flask is known here and nowhere else."""
