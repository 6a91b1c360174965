"""HTTP in, HTTP out. Flask and gunicorn are known here and nowhere else; models are not."""
