"""Lines and tokens as numbers: one family of features per module."""
