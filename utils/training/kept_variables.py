"""Shared variables, as a checkpoint keeps them: arrays, and states of generators."""

import numpy as np

from utils.errors import CheckpointError

# NumPy's default kind. The states of others can make NumPy read outside its memory.
GENERATORS = np.random.PCG64, np.random.PCG64DXSM


def by_name(variables):
    """Name shared variables: a dict. One without a name is known by its position."""
    names = {}
    for position, variable in enumerate(variables, 1):
        name = variable.name or f"variable {position}"
        names[f"{name} (variable {position})" if name in names else name] = variable
    return names


def value_of(variable):
    """The value of a shared variable: an array, or a random generator's state, a dict.

    A `CheckpointError` says if it is neither, or a generator of another kind.
    """
    value = variable.get_value(borrow=True)
    generator = getattr(value, "bit_generator", None)
    if isinstance(generator, GENERATORS):
        return generator.state
    value = np.asarray(value)
    if value.dtype.kind not in "biuf":
        raise CheckpointError(
            f"{variable}: expected numbers or a random generator of NumPy's default "
            f"kind, which a checkpoint can keep, found {variable.type}."
        )
    return value


def kind_of(value):
    """Describe a value but for its numbers: two of one kind can replace each other."""
    if isinstance(value, dict):
        return f"a random generator {value.get('bit_generator')!r:.40}"
    return f"{value.dtype} of shape {value.shape}"


def is_finite(variable):
    """Return False for a shared variable that holds NaN or infinite numbers."""
    return _is_finite(variable.get_value(borrow=True))


def _is_finite(value):
    dtype = getattr(value, "dtype", None)
    return dtype is None or dtype.kind != "f" or bool(np.isfinite(value).all())


def set_value(variable, value):
    """Give a variable the value of another of its kind.

    A `ValueError` says if `value` is no state of a generator, or has NaN or infinite
    numbers, which the variable has not.
    """
    if is_finite(variable) and not _is_finite(value):
        raise ValueError("it holds NaN or infinite numbers")
    if isinstance(value, dict):
        generator = variable.get_value()
        try:
            generator.bit_generator.state = value
        except Exception as error:  # the setter fails in many ways
            raise ValueError(f"{type(error).__name__}: {error}") from error
        value = generator
    variable.set_value(value)
