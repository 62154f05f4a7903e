"""The commands of ``skol-rnn``, one module for each group of them."""
