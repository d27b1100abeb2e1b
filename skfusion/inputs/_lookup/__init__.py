"""Keys of rows, looked up in a table of things that are kept once."""
