"""Whether what was brought up answers rightly, and why it fails; no command lives here."""
