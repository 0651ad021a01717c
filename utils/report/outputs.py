"""Outputs of a run to look at: checked before the training, written after it."""

import contextlib
import os
import sys

from utils import backends, files
from utils.errors import MissingPackageError
from utils.report import history


def check_places(options):
    """Refuse, before a long run, outputs that could not be written after it.

    Raises
    ------
    MissingPackageError
        If pictures are asked for and matplotlib cannot be imported.
    utils.files.WriteError
        If a file or folder cannot be written, or is needed for something else.
    """
    if options.plot is not None:
        try:
            import utils.report.figures  # noqa: F401
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
        files.make_folder(options.plot)
    for path in [*_history_paths(options), *filter(None, [options.report])]:
        files.check_writable(path)
    _check_own_file(options)


def _check_own_file(options):
    """Refuse a history or report that would replace another file of the run."""
    names = {"model": options.model or "best_model.pkl"}
    names |= {n: getattr(options, n) for n in ("checkpoint", "resume", "dataset")}
    for own in ("history", "report"):
        path = getattr(options, own)
        for option, name in names.items():
            if path and name and os.path.realpath(name) == os.path.realpath(path):
                raise files.WriteError(
                    f"{path}: expected a file of its own for --{own}, found that of "
                    f"--{option}: name another."
                )
        names[own] = path


def _history_paths(options):
    paths = [] if options.history is None else [options.history]
    if options.plot is not None:
        paths.append(os.path.join(options.plot, "history.csv"))
    return paths


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
        for path in _history_paths(options):
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
