"""What is said of a picture, before it takes a form, and drawings of it. Nothing of models."""
