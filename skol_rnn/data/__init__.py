"""Documents, their tables, and the files that they are read from and written to."""
