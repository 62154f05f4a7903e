"""Scores of labels and spans, what they say, and how they are reported."""
