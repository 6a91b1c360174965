"""Results → pictures to look at."""
