"""Trials by the thousand of what must never go wrong or get lost: `make soak` prints their scorecard, outside of CI.

A module here is one kind of trial. It has a docstring whose first line is its row in the scorecard, `COUNT` (how many
trials a run makes unless told otherwise) and `trials(count, seed) -> (done, failures)`, each failure a line that says
what was done and what was wrong. The same seed makes the same trials.
"""
