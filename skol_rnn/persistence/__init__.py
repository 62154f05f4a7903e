"""Saved models and figures: atomic writes, files that are read without running code, stores of versions."""
