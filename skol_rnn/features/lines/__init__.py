"""Features of lines."""
