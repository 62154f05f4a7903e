"""Vectors of words from a pretrained model in a local folder, in addition to the features of a family; extra "vectors"."""
