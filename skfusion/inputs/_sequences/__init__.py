"""Arrays in cells and long tables as sequences."""
