"""What puts a packed model behind a SageMaker endpoint; the server's package is never imported."""
