"""Vectors of words from a pretrained model in a local folder, beside the features of a family; extra "vectors"."""
