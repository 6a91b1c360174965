"""What pictures and answers were like when a model was packed, and how far they have moved."""
