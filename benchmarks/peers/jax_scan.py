"""Softmax regression on MNIST by minibatch SGD, in JAX: one jitted scan an epoch."""

from functools import partial

import jax
from jax_model import error, load_arrays, sgd_step, versions, zeros
from lesson import BATCH_SIZE, argument_parser, report_setup, train


@partial(jax.jit, donate_argnums=0)
def train_epoch(params, train_x, train_y):
    """Take a step on each minibatch; `train_x` is ``(n_minibatches, 600, n_in)``."""
    return jax.lax.scan(
        lambda params, minibatch: sgd_step(params, *minibatch),
        params,
        (train_x, train_y),
    )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--transposed", action="store_true", help="keep W as (n_out, n_in)"
    )
    options = parser.parse_args()
    (train_x, train_y), valid, test = load_arrays(options.dataset)
    report_setup(versions())
    n_in, n_out = train_x.shape[1], int(train_y.max()) + 1
    shape = (n_out, n_in) if options.transposed else (n_in, n_out)
    params = zeros(shape, n_out)
    train_x = train_x.reshape(-1, BATCH_SIZE, n_in)
    train_y = train_y.reshape(-1, BATCH_SIZE)

    # Compiled before the clock starts; a donated argument is gone after the call.
    train_epoch(zeros(shape, n_out), train_x, train_y)
    error(params, *valid)
    error(params, *test)

    def train_minibatches(n):
        # The epoch in which the patience runs out is run whole: nothing reads the
        # parameters after it, and another length would be compiled again.
        nonlocal params
        params, _ = train_epoch(params, train_x, train_y)

    train(
        train_minibatches,
        lambda: error(params, *valid),
        lambda: error(params, *test),
        len(train_x),
    )


if __name__ == "__main__":
    main()
