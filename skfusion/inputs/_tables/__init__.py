"""Tables of all makers, and their columns."""
