"""Feature families of tokens."""
