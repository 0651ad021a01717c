"""PyTensor's JAX backend, fitted to minibatches of data that stay on the device.

The lesson's functions take one number, ``index``, and cut their minibatch out of
shared data: ``x[index * n:(index + 1) * n]``. `jax_mode` corrects what keeps PyTensor's
own JAX mode from running that, or from running it well:

- XLA compiles for shapes it knows, but the length of such a slice is an expression;
  a rewrite proves that it is constant (`minibatch`).
- A shared NumPy array is copied to the device at each call; here shared variables
  move there once, and what updates them stays there (`device`).
- The parameters of a float32 model become float64 at the first update; here they keep
  their type (`minibatch`, `device`).

Importing this package imports JAX.
"""

import jax
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

from .device import DeviceLinker, put_on_device

__all__ = ["jax_mode", "put_on_device"]


def jax_mode():
    """Return the mode for `pytensor.function` that this package describes above.

    JAX is set to 64-bit types, for float32 too: PyTensor's graphs count in int64 and
    add in float64 whatever floatX is. A GPU is used when JAX sees one. The functions
    return JAX arrays, and return before these are computed.
    """
    jax.config.update("jax_enable_x64", True)
    tags = RewriteDatabaseQuery(
        include=["fast_run", "jax", "jax_minibatch"], exclude=["fusion"]
    )
    return Mode(DeviceLinker(), tags)
