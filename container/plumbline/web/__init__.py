"""HTTP in, HTTP out. Flask and gunicorn are known here and nowhere else; nothing is decided here."""
