"""From annotated documents to a trained network."""
