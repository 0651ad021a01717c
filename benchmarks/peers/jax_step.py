"""Softmax regression on MNIST by minibatch SGD, in JAX: one jitted call a minibatch."""

from functools import partial

import jax
from jax_model import error, load_arrays, sgd_step, versions, zeros
from lesson import BATCH_SIZE, dataset_argument, report_setup, train


@partial(jax.jit, donate_argnums=0)
def train_minibatch(params, train_x, train_y, index):
    """Take one step on the minibatch of number `index`, sliced on the device."""
    start = index * BATCH_SIZE
    x = jax.lax.dynamic_slice_in_dim(train_x, start, BATCH_SIZE)
    y = jax.lax.dynamic_slice_in_dim(train_y, start, BATCH_SIZE)
    return sgd_step(params, x, y)


def main():
    (train_x, train_y), valid, test = load_arrays(dataset_argument(__doc__))
    report_setup(versions())
    n_in, n_out = train_x.shape[1], int(train_y.max()) + 1
    params = zeros((n_in, n_out), n_out)

    # Compiled before the clock starts; a donated argument is gone after the call.
    train_minibatch(zeros((n_in, n_out), n_out), train_x, train_y, 0)
    error(params, *valid)
    error(params, *test)

    def train_minibatches(n):
        nonlocal params
        for index in range(n):
            params, _ = train_minibatch(params, train_x, train_y, index)

    train(
        train_minibatches,
        lambda: error(params, *valid),
        lambda: error(params, *test),
        len(train_x) // BATCH_SIZE,
    )


if __name__ == "__main__":
    main()
