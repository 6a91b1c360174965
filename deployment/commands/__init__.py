"""One command of deploy.py a file."""
