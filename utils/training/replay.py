"""The costs and gradients that SciPy asked for, kept so that a run can be resumed.

SciPy's conjugate gradient cannot be entered in the middle: its direction, and what its
line search knows, live in one call. But all of it follows from the answers that it got.
A resumed run calls SciPy from the start and answers with what was kept, at the very
points that were asked for then; nothing is computed until that is used up.
"""

import hashlib

import numpy as np

from utils.errors import CheckpointError


class Replay:
    """Records what a function of cost and gradient answers, and plays it back.

    A kept evaluation takes 8 bytes a parameter, 63 kB for MNIST, and the checkpoint is
    written again with all of them at each iteration: 50 iterations make some 7 MB.

    Attributes
    ----------
    recording : bool
        True (default) keeps new evaluations; otherwise they are only passed on.
    poll : callable
        Called at each evaluation that is played back: it may end the run.
    """

    def __init__(self):
        self.recording, self.poll = True, lambda: None
        self._digests, self._costs, self._gradients = [], [], []
        self._source, self._played = None, 0
        self._iterations, self._kept_iterations = 0, 0

    def recorded(self):
        """The evaluations that have been kept, a dict.

        It has ``digests``, the SHA-256 of each theta, ``(n, 32)`` uint8; ``costs``,
        ``(n,)`` float64; and ``gradients``, ``(n, n_parameters)`` float64.
        """
        digests = b"".join(self._digests)
        return {
            "digests": np.frombuffer(digests, np.uint8).reshape(-1, 32),
            "costs": np.array(self._costs),
            "gradients": np.array(self._gradients),
        }

    def restore(self, kept, iterations, source):
        """Play back the evaluations of a checkpoint first.

        They are `kept`, as `recorded` returns them, and so many `iterations` had been
        finished with them. `source` is the checkpoint's path, for the `CheckpointError`
        that says if no run can have kept them.
        """
        kinds = {"digests": ("uint8", 2), "costs": ("float64", 1)}
        kinds["gradients"] = ("float64", 2)
        found = {
            name: (str(array.dtype), array.ndim)
            for name, array in kept.items()
            if isinstance(array, np.ndarray)
        }
        lengths = {kept[name].shape[:1] for name in found}
        if found != kinds or len(kept) != len(kinds) or len(lengths) > 1:
            raise CheckpointError(
                f"{source}: expected evaluations of equal number as {kinds}, found "
                f"{found}: start the run again without --resume."
            )
        n = len(kept["costs"])
        finite = all(np.isfinite(kept[name]).all() for name in ("costs", "gradients"))
        # An iteration takes one at least, and so does the start.
        if n <= iterations or not finite:
            raise CheckpointError(
                f"{source}: expected finite evaluations, at least {iterations + 1}, "
                f"found {n if finite else 'NaN or infinite ones'}: start the run again "
                "without --resume."
            )
        self._digests = [digest.tobytes() for digest in kept["digests"]]
        self._costs, self._gradients = kept["costs"].tolist(), list(kept["gradients"])
        self._kept_iterations, self._source = iterations, source

    def function(self, cost_and_gradient):
        """Wrap `cost_and_gradient`: it is called only when the kept ones are used up.

        It takes theta, ``(n_parameters,)`` float64, and returns a float and an array of
        theta's shape. What wraps it raises `CheckpointError` where it is asked for
        another theta than that of the kept evaluation.
        """

        def evaluate(theta):
            if self._played < len(self._costs):
                return self._play(theta)
            cost, gradient = cost_and_gradient(theta)
            if self.recording:
                self._digests.append(_digest(theta))
                self._costs.append(cost)
                self._gradients.append(gradient)
                self._played += 1
            return cost, gradient

        return evaluate

    def _play(self, theta):
        self.poll()
        position = self._played
        self._played += 1
        if (
            self._digests[position] != _digest(theta)
            or self._gradients[position].shape != theta.shape
        ):
            raise CheckpointError(
                f"{self._source}: expected SciPy to ask for the theta of evaluation "
                f"{position + 1} of {len(self._costs)} again, found that it asks for "
                "another: SciPy, NumPy or the processor is not the one of the first "
                "run. Resume there, or start again without --resume."
            )
        return self._costs[position], self._gradients[position]

    def callback(self, after_iteration):
        """Wrap a function of theta: not called for iterations that are played back."""

        def called(theta):
            self._iterations += 1
            if self._iterations > self._kept_iterations:
                after_iteration(theta)

        return called


def _digest(theta):
    return hashlib.sha256(theta).digest()
