"""Each hostile file with each of its readers."""

import hostile_cases
import pytest


@pytest.fixture(scope="module")
def outcomes():
    return hostile_cases.outcomes("ALL")


@pytest.mark.parametrize("case", hostile_cases.ALL)
def test_hostile_file_is_refused(outcomes, case):
    hostile_cases.check_refused(outcomes[case], case)
