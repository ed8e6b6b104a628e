"""Some of the mutated designs of `make soak`: opened or refused in one line, checked, their fixes tried, compiled."""

from tests.soak import designs


def test_some_mutated_designs_of_the_soak() -> None:
    done, failures = designs.trials(60, seed=7)
    assert done == 60
    assert failures == []
