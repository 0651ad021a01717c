"""The model and the data that both JAX peers use."""

import jax
import jax.numpy as jnp
from lesson import LEARNING_RATE, load_data, whole_minibatches


def logits(params, x):
    """Return the scores of the classes, ``(n, n_out)``.

    W is ``(n_in, n_out)`` as in the tutorial, or ``(n_out, n_in)``.
    """
    W, b = params
    return x @ (W if len(W) == x.shape[1] else W.T) + b


def negative_log_likelihood(params, x, y):
    """Return the mean over the minibatch of -log p(y | x), float32."""
    log_p = jax.nn.log_softmax(logits(params, x))
    return -jnp.mean(log_p[jnp.arange(len(y)), y])


def sgd_step(params, x, y):
    """Return the parameters after one SGD step, and the cost before it."""
    cost, gradient = jax.value_and_grad(negative_log_likelihood)(params, x, y)
    params = jax.tree.map(lambda p, g: p - LEARNING_RATE * g, params, gradient)
    return params, cost


@jax.jit
def n_errors(params, x, y):
    """Return how many of `y` differ from the largest logit."""
    return jnp.sum(jnp.argmax(logits(params, x), axis=1) != y)


def error(params, x, y):
    """Return the fraction of `y` that differs from the largest logit."""
    return int(n_errors(params, x, y)) / len(y)


def load_arrays(dataset):
    """Return the three splits, whole minibatches only, put on the device once."""
    return [
        tuple(jax.device_put(array) for array in whole_minibatches(x, y))
        for x, y in load_data(dataset)
    ]


def zeros(shape, n_out):
    """Return W of `shape` and b ``(n_out,)``, float32 zeros."""
    return jnp.zeros(shape), jnp.zeros(n_out)


def versions():
    """Return JAX's version and the platform that it runs on."""
    return f"JAX {jax.__version__} on {jax.default_backend()}"
