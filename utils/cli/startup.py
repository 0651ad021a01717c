"""The first and the last thing that a script does when it is run as a program.

First, before the script imports anything else: the import of PyTensor takes a second,
and fails where the environment is not as PyTensor expects.
"""

import atexit
import gc
import io
import os
import pkgutil
import re
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from importlib.util import find_spec

from utils.text import shown

# Of an editable install Python finds each module apart, and another program's `utils`
# that comes first may have some of the same names.
_OURS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
for _module in pkgutil.iter_modules([_OURS]):
    _found = str(getattr(find_spec(f"utils.{_module.name}"), "origin", None))
    if not _found.startswith(_OURS):
        raise ImportError(f"utils.{_module.name} is another's, {_found}")


def prepare(name):
    """Make ready for PyTensor and import it, or end the program with one line.

    Ctrl-C ends it without a traceback, until the run's stop signals take over. Standard
    streams that are closed become the null device, and the others escape what their
    encoding does not have; lines that standard error cannot take, as on a full disk,
    are dropped. PyTensor compiles into a temporary folder where the one that it would
    choose cannot be used; a folder that the user named is not replaced.

    Parameters
    ----------
    name : str
        The script's ``__name__``. Nothing is done where it is not ``"__main__"``, so
        that a program which imports the script keeps its own signals and settings.

    Raises
    ------
    SystemExit
        With status 1 and a message, where the user has to mend something.
    """
    if name != "__main__":
        return
    script = shown(os.path.basename(sys.argv[0]))
    # Modules and graphs stay; to search them for garbage again and again takes a tenth
    # of a start.
    gc.set_threshold(50_000, 20)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _prepare_streams()
    _outlive_standard_error()
    _find_home()
    _find_threads(script)
    _import_pytensor(script)


def run_as_module(path):
    """Run a script's ``main`` from a module that has the script's own name.

    What is defined in the running script belongs to ``__main__``, which no other
    process can import: neither one that reads a pickle nor a cluster's worker. So the
    file is loaded again as the module that an import of it would give. It is found by
    its path, so that a changed copy under any name and in any folder runs itself.
    Returns the exit status that ``main()`` returns.
    """
    import importlib.util
    from importlib.machinery import SourceFileLoader

    name, _ = os.path.splitext(os.path.basename(path))
    loader = SourceFileLoader(name, path)  # whatever the suffix
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main()


def _prepare_streams():
    """Open the null device for streams that are closed; have all print any text.

    A file would get their descriptors otherwise, and libraries would print into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            # It gets the lowest descriptor that is free: the stream's own.
            setattr(sys, name, open(os.devnull, mode, errors="backslashreplace"))
        elif mode == "w" and hasattr(stream, "reconfigure"):  # not so in IPython's %run
            stream.reconfigure(errors="backslashreplace")


class _Lossy(io.FileIO):
    """A file that drops what cannot be written, unless its reader has gone."""

    def write(self, data):
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError:
            return len(data)


def _outlive_standard_error():
    """Have standard error fail no more: no remark is worth a run."""
    if os.name == "posix" and isinstance(sys.stderr, io.TextIOWrapper):
        raw = _Lossy(sys.stderr.fileno(), "w", closefd=False)
        encoding, errors = sys.stderr.encoding, sys.stderr.errors
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding, errors, line_buffering=True
        )


def _find_home():
    """Name a home where none can be found: PyTensor cannot be imported without."""
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)
        if os.path.expanduser("~") == "~":
            os.environ["HOME"] = os.devnull


def _find_threads(script):
    """Keep of OMP_NUM_THREADS the threads of the outer level: there is no other."""
    threads = os.environ.pop("OMP_NUM_THREADS", "").strip()
    if not threads:
        return
    if not re.fullmatch(r"\s*0*[1-9][0-9]{0,8}\s*(,\s*[0-9]+\s*)*", threads, re.ASCII):
        sys.exit(
            f"{script}: error: OMP_NUM_THREADS is {threads!r}: expected a whole number "
            "of at least 1 (or one for each level, with commas between)."
        )
    os.environ["OMP_NUM_THREADS"] = threads.split(",")[0].strip()


def _find_compile_cache(script, config):
    """Have PyTensor compile into a temporary folder where its own cannot be used."""
    place, entry = config.base_compiledir, config._config_var_dict["base_compiledir"]
    try:
        str(config.compiledir).encode()  # looking at it makes the folder
        return
    except UnicodeEncodeError:
        reason = "its name cannot be read in this locale; PYTHONUTF8=1 reads it"
    except (OSError, ValueError) as error:
        reason = getattr(error.__context__, "strerror", None) or error
    problem = shown(f"PyTensor's compile cache {place} cannot be used ({reason})")
    remedy = "PYTENSOR_FLAGS=base_compiledir=FOLDER"
    if not entry.is_default:
        sys.exit(f"{script}: error: {problem}: name another with {remedy}.")
    try:
        folder = tempfile.mkdtemp(prefix="pytensor-")
    except OSError as error:
        sys.exit(f"{script}: error: {problem}, nor a temporary one ({error}): {remedy}")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("base_compiledir", "compiledir"):
        vars(config._config_var_dict[name]).pop("val", None)  # what PyTensor has read
    config.base_compiledir = folder
    config.compiledir  # noqa: B018  fails where the place was not the reason
    flags = os.environ.get("PYTENSOR_FLAGS", "")  # for the workers of a cluster
    os.environ["PYTENSOR_FLAGS"] = f"{flags},base_compiledir={folder}".strip(",")
    if "--quiet" not in sys.argv:
        print(
            f"{problem}: this run compiles into a temporary folder. {remedy} names one "
            "that is kept.",
            file=sys.stderr,
        )


def _import_pytensor(script):
    """Import PyTensor, which reads its settings: PYTENSOR_FLAGS and .pytensorrc."""
    # PyTensor only warns of a flag that it does not know, and goes on without.
    warnings.filterwarnings("error", "PyTensor does not recognise|Config key")
    try:
        import numpy as np
        from pytensor import config

        _find_compile_cache(script, config)
        # Numbers that overflow are told of where they matter: costs, parameters.
        np.seterr(all="ignore")
    except Exception as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        if "pytensor.configparser" not in [f.f_globals["__name__"] for f in frames]:
            raise
        asked = [f.f_locals["self"] for f in frames if f.f_code.co_name == "__get__"]
        setting = f" {asked[-1].name}" if asked else "s"
        sys.exit(
            f"{script}: error: PyTensor's setting{setting} cannot be used "
            f"({' '.join(str(error).split())}): mend PYTENSOR_FLAGS or .pytensorrc."
        )
