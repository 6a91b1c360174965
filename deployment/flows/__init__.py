"""What several commands do in the same way, from beginning to end; no command lives here."""
