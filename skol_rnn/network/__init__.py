"""The Keras network and its losses."""
