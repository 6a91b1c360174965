"""What runs fastest on this machine: measured, shown, and kept in the archive."""
