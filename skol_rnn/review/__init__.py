"""Rounds of review: the lines most worth a person's time, their corrections, and what is still unfound."""
