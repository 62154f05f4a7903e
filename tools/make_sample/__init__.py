"""Generate the made-up sample corpus of ``skol_rnn/datasets/sample``.

``writer`` makes words and sentences from the lists of ``vocabulary``, ``sections`` makes the parts of an article,
``layout`` puts them on pages, and ``journal`` joins them into a corpus.
"""
