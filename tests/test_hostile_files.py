"""Each hostile file with one of its readers; `long` has the others."""

import hostile_cases
import pytest


@pytest.fixture(scope="module")
def outcomes():
    return hostile_cases.outcomes("QUICK")


@pytest.mark.parametrize("case", hostile_cases.QUICK)
def test_hostile_file_is_refused(outcomes, case):
    hostile_cases.check_refused(outcomes[case], case)
