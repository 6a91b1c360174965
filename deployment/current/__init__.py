"""What AWS has now, read from there; nothing here changes anything."""
