"""Shared variables that live on JAX's device, and the linker that puts them there."""

import os
from copy import copy
from functools import wraps

import jax
import numpy as np
from jax import lax
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.link.basic import Container
from pytensor.link.jax.linker import JAXLinker
from pytensor.tensor.random.type import RandomType

from utils.errors import BackendError

from .minibatch import Minibatch


class DeviceContainer(Container):
    """The value of a shared variable: a JAX array inside, a NumPy array outside."""

    def _get(self):
        return np.asarray(self.storage[0])

    def _set(self, value):
        Container.data.fset(self, value)
        self.storage[0] = jax.device_put(self.storage[0])

    data = value = property(_get, _set)

    def __deepcopy__(self, memo):
        twin = copy(self)
        # JAX arrays are immutable: a cell of its own suffices.
        twin.storage = list(self.storage)
        return twin


def put_on_device(variable):
    """Move a shared variable to JAX's default device, where it then stays.

    ``get_value`` still gives a NumPy array (with ``borrow=True`` a read-only one),
    and ``set_value`` moves what it is given. Functions of other backends can no longer
    use the variable. One that is on the device already is left as it is. Raises
    `BackendError` where the device has no room for it, or it is a random generator.
    """
    container = variable.container
    if isinstance(container, DeviceContainer):
        return
    if isinstance(variable.type, RandomType):
        raise BackendError(
            "The JAX backend would draw from a hidden copy of a shared random "
            "generator, from which no run can be resumed. Choose the backend c or "
            "numba."
        )
    value, free = container.storage[0], free_bytes()
    if getattr(value, "nbytes", 0) > free:
        raise BackendError(
            f"The JAX backend keeps the data on its device, {jax.devices()[0]}, which "
            f"has {free / 1e9:.1f} GB of memory free: an array of shape {value.shape} "
            f"and dtype {value.dtype} takes {value.nbytes / 1e9:.1f} GB. Use a smaller "
            "dataset, or the backend c or numba, which read plain files as they need "
            "them."
        )
    container.storage[0] = jax.device_put(container.storage[0])
    # Compiled functions know the variable by copies that share this one object.
    container.__class__ = DeviceContainer


def free_bytes():
    """Return the free memory of JAX's default device in bytes; of a CPU, all memory."""
    statistics = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return float("inf")  # unknown on Windows, where JAX then fails by itself


class DeviceLinker(JAXLinker):
    """PyTensor's JAX linker, with shared variables on the device and checked rows."""

    def create_thunk_inputs(self, storage_map):
        for variable in self.fgraph.inputs:
            if isinstance(variable, SharedVariable):
                put_on_device(variable)
        return super().create_thunk_inputs(storage_map)

    def jit_compile(self, fn):
        def typed(*inputs):
            # Otherwise GPUs and TPUs round the factors of float32 products.
            with jax.default_matmul_precision("highest"):
                outputs = fn(*inputs)
            # A parameter of another type would make the next call compile again.
            return tuple(
                lax.convert_element_type(output, variable.dtype)
                for output, variable in zip(outputs, self.fgraph.outputs, strict=True)
            )

        compiled = super().jit_compile(typed)
        position = self.fgraph.inputs.index
        checks = [
            (node.op.first_row, *map(position, node.inputs))
            for node in self.fgraph.apply_nodes
            if isinstance(node.op, Minibatch)
        ]

        @wraps(compiled)
        def checked(*inputs):
            for first_row, x, index in checks:
                first_row(inputs[x].shape[0], inputs[index])
            return compiled(*inputs)

        return checked
