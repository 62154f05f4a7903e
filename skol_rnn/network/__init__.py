"""The Keras network and its losses."""

from skol_rnn.network.choice import choose_backend

choose_backend()
