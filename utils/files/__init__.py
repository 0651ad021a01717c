"""Files that are written whole, and read without running what is in them."""

from utils.errors import WriteError

from .atomic import check_writable, make_folder, write_atomic
from .regular_file import open_regular

__all__ = [
    "WriteError",
    "check_writable",
    "make_folder",
    "open_regular",
    "write_atomic",
]
