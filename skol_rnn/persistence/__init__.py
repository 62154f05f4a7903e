"""Files of models and figures: written atomically, read without running code."""
