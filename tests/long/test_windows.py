"""A run without what only POSIX systems have: the modules and names that Windows lacks.

The system itself cannot be had here: no path, console or compiler of Windows is tried.
"""

from processes import REPOSITORY

LACKS = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # an import raises ImportError
for name in ("fork", "register_at_fork", "sysconf", "getuid", "geteuid", "O_NOFOLLOW",
             "O_NONBLOCK", "statvfs", "sched_getaffinity", "killpg", "setsid"):
    if hasattr(os, name):
        delattr(os, name)
del signal.pthread_sigmask
"""


def test_program_runs_without_what_windows_lacks(run, tmp_path, tiny_npz):
    options = "--dataset tiny.npz --batch-size 10 --n-epochs 2 --backend numba "
    options += "--checkpoint c.ckpt --report r.html"
    program = LACKS + (
        f"sys.path.insert(0, {str(REPOSITORY)!r}); import logistic_sgd\n"
        f"sys.exit(logistic_sgd.main({options.split()!r}))\n"
    )
    done = run("-c", program)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr and "Optimization complete" in done.stdout
    assert (tmp_path / "best_model.pkl").exists() and (tmp_path / "r.html").exists()
