"""What the profiling script needs on a board, and what reaches it over ssh."""
