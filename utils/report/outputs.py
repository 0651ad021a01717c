"""Outputs of a run to look at: checked before the training, written after it."""

import contextlib
import os
import sys

from utils import backends, files
from utils.errors import MissingPackageError
from utils.report import history
from utils.training import places


def check(options, kept=None):
    """Refuse, before a long training, what could not be written after it.

    Parameters
    ----------
    options : argparse.Namespace
    kept : dict, optional
        The arguments in the checkpoint that is resumed.

    Raises
    ------
    MissingPackageError
        If pictures are asked for and matplotlib cannot be imported.
    utils.errors.UserError
        See `places.check_training`.
    """
    if getattr(options, "predict", None) is not None:
        return  # that trains nothing, and looks at its few places itself
    written = _histories(options)
    if options.report is not None:
        written.append(("the report (--report)", options.report))
    if options.plot is not None:
        try:
            from utils.report.figures import FILES
        except ImportError as error:
            raise MissingPackageError(
                f"--plot needs matplotlib, which cannot be imported ({error}): install "
                "it with `python -m pip install -e '.[plot]'`."
            ) from error
        except ValueError as error:  # a backend of that name does not exist
            raise MissingPackageError(
                f"--plot needs matplotlib, which refuses its settings ({error}): unset "
                "MPLBACKEND."
            ) from error
        pictures = (os.path.join(options.plot, name) for name in FILES)
        written += (("a picture (--plot)", path) for path in pictures)
    given = {name: v for name, v in vars(options).items() if v is not None}
    places.check_training(given, kept, written, options.plot)


def _histories(options):
    """The files that the history is written to: a list of (name, path)."""
    found = []
    if options.history is not None:
        found.append(("the history (--history)", options.history))
    if options.plot is not None:
        path = os.path.join(options.plot, "history.csv")
        if not found or os.path.realpath(path) != os.path.realpath(options.history):
            found.append(("the history (--plot)", path))
    return found


@contextlib.contextmanager
def history_kept(options):
    """Write the history of the block's run, also where it was stopped or diverged.

    Before the training loop of ``options.monitor`` begins there is nothing to write. A
    `WriteError` is only printed if the block itself raised an error.
    """
    try:
        yield
    except BaseException:
        try:
            _write_history(options)
        except files.WriteError as error:
            print(error, file=sys.stderr)
        raise
    _write_history(options)


def _write_history(options):
    if options.monitor.history is not None:
        for _, path in _histories(options):
            files.write_atomic(path, history.dumps(options.monitor.history))


def show(options, result, load_model):
    """Write the pictures and page of a `TrainingResult` that the options ask for.

    `load_model` is asked for a saved model that is of a reader's own class.
    """
    if options.plot is None and options.report is None:
        return
    # Imported here: only those who ask for these outputs pay for it.
    from utils.report.evaluation import evaluate

    paths, evaluation = [], evaluate(result, load_model)
    if options.plot is not None:
        from utils.report import figures

        paths += figures.save(evaluation, options.plot)
        if evaluation.no_templates:
            options.monitor.log(f"... no picture of weights: {evaluation.no_templates}")
        if evaluation.no_confusion:
            options.monitor.log(f"... no confusion matrix: {evaluation.no_confusion}")
    if options.report is not None:
        from utils.report import page

        html = page.render(evaluation, options.command, _backend_name(options))
        files.write_atomic(options.report, html.encode())
        paths.append(options.report)
    for path in paths:
        options.monitor.log(f"... wrote {path}")


def _backend_name(options):
    """The backend in use: for "auto" the one that it stands for here."""
    if options.backend not in (None, "auto"):
        return options.backend
    linker = type(backends.compilation_mode().linker).__name__
    return {"OneModuleLinker": "c", "NumbaLinker": "numba"}.get(linker, linker)
