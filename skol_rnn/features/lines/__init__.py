"""Feature families of lines."""
