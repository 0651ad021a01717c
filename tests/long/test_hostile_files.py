"""Each hostile file with the readers that the default run leaves out."""

import hostile_cases
import pytest


@pytest.fixture(scope="module")
def outcomes():
    return hostile_cases.outcomes("REST")


@pytest.mark.parametrize("case", hostile_cases.REST)
def test_hostile_file_is_refused(outcomes, case):
    hostile_cases.check_refused(outcomes[case], case)
