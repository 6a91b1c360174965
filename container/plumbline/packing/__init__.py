"""What runs on the user's machine: from what training left behind to model.tar.gz."""
