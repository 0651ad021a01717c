"""Tell if a person sits at a prompt: in a notebook, in IPython or in Python's own."""

import sys


def at_prompt():
    """True where a person enters the statements that are run."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def in_notebook():
    """True where they are entered in a notebook, or in what else shows its widgets."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
