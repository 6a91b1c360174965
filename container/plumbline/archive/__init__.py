"""model.tar.gz ↔ folder → what is in it, read as data: nothing of it is run or loaded here."""
