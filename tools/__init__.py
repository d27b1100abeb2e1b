"""What the project checks itself by."""
