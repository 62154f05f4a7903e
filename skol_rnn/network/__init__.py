"""The Keras network and its losses."""

from skol_rnn.frameworks import choose_backend

choose_backend()
