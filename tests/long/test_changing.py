"""All changes of docs/changing.md, and what the page says that they print."""

import pytest
from test_changing import (  # noqa: F401
    CHANGES,
    script,
    test_checkpoint_of_another_training_is_refused,
    test_gradient_is_that_of_finite_differences,
    test_resumed_run_is_the_unbroken_one,
)


@pytest.fixture(params=CHANGES)
def heading(request):
    return request.param
