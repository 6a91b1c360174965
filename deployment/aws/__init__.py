"""What asks AWS: calls, uploads, requests and whole plans; what to ask is thought up elsewhere."""
