"""Charts, their numbers, and pages that show what a model does."""
