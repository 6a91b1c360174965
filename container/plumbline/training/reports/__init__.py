"""What a training job leaves for people: history.csv, and its report as a page and a picture."""
