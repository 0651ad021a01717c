"""Text that comes from files and their names, made fit to be shown."""

import re

LONGEST_NUMBER = 60  # digits; any whole number of 64 bits, and then some


def shown(text, keep=""):
    r"""Escape what is not printable in a text, and shorten the numbers in it.

    A file, and the name of one, can hold anything: a terminal's own commands, the end
    of the line, an override that turns the direction of writing, a byte that is no
    UTF-8. All of it is escaped as `repr` does it, backslashes and quotes apart, so that
    nothing changes in a text that was shown before.

    Parameters
    ----------
    text : object
        Shown as `str` gives it.
    keep : str
        Characters to keep though they are not printable, such as ``"\n"``. Default:
        none.

    Returns
    -------
    str
        One printable line. Of more than `LONGEST_NUMBER` digits in a row only the first
        are left, and their number.
    """
    text = re.sub(rf"\d{{{LONGEST_NUMBER + 1},}}", _shortened, str(text))
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def _shortened(digits):
    return f"{digits[0][:20]}... ({len(digits[0])} digits)"


def number(value):
    """The `repr` of a number; Python refuses to write out the longest."""
    try:
        return repr(value)
    except ValueError:
        return "a number of more than 4300 digits"
