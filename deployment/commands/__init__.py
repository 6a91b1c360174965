"""One command of deploy.py a file; what two of them need lives in another folder."""
