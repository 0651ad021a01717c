"""Each hostile file with each of its readers, and that they are hostile."""

import os

import hostile_cases
import processes
import pytest
from hostile_pickles import EXECUTED


@pytest.fixture(scope="module")
def outcomes():
    return hostile_cases.outcomes("ALL")


@pytest.mark.parametrize("case", hostile_cases.ALL)
def test_hostile_file_is_refused(outcomes, case):
    hostile_cases.check_refused(outcomes[case], case)


@pytest.mark.parametrize("name", EXECUTED)
def test_hostile_pickle_is_hostile(executed, name):
    assert [made.partition(".")[0] for made in executed[name]] == ["executed"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """What files each of the pickles makes when Python's own machine runs it."""
    program = (
        "import os, pickle, time\n"
        "from hostile_pickles import EXECUTED\n"
        "for name, (raw, _) in EXECUTED.items():\n"
        "    os.mkdir(name)\n"
        "    os.chdir(name)\n"
        "    try:\n"
        "        pickle.loads(raw)\n"
        "    except Exception:\n"
        "        pass\n"
        "    for _ in range(500):\n"
        "        if os.listdir():\n"
        "            break\n"
        "        time.sleep(0.01)\n"
        "    os.chdir('..')\n"
    )
    folder = tmp_path_factory.mktemp("executed")
    processes.run("-c", program, cwd=folder, status=0)
    return {path.name: os.listdir(path) for path in folder.iterdir()}
