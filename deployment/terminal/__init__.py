"""What is typed and what is shown; no command lives here, and nothing is made in AWS."""
