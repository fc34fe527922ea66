"""Arrays of any origin as tensors of the native module, new arrays for results, and names of types."""

import math
import operator

import numpy as np

from ._lanequant import Tensor

# Numbers of lq_dtype.
CODES = {
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "uint4": 10,
    "int4": 11,
    "uint2": 12,
    "int2": 13,
}
PACKED_FLOATS = {"uint6": 14, "uint4": CODES["uint4"]}  # float formats of 6 and 4 bits
FLOATS = {"float32": 0, "float64": 1, "float16": 8, "bfloat16": 9}
VALUES = {name: FLOATS[name] for name in ("float32", "float16", "bfloat16")}
PACKED_BITS = {"uint6": 6, "uint4": 4, "int4": 4, "uint2": 2, "int2": 2}


def choose(argument, value, names):
    """What a name stands for in a dict of names (in a tuple: itself), or a ValueError that lists them."""
    if isinstance(value, str) and value in names:
        return names[value] if isinstance(names, dict) else value
    raise ValueError(f"{argument} {value!r} is none of {', '.join(names)}")


def type_name(dtype):
    """'float32' of numpy.float32, 'float32', torch.float32, ..."""
    try:
        return np.dtype(dtype).name
    except TypeError:
        return str(dtype).rpartition(".")[2]


def whole(argument, value, low=-(2**63), high=2**63 - 1):
    """A whole number as an int; anything else is a ValueError that names the argument."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{argument} {value!r} is not a whole number") from None
    if not low <= number <= high:
        raise ValueError(f"{argument} {number} is outside {low}..{high}")
    return number


def real(argument, value):
    """The same for a real number."""
    try:
        return float(value if not isinstance(value, (str, bytes)) else None)
    except (TypeError, ValueError):
        raise ValueError(f"{argument} {value!r} is not a number") from None


def threads_of(threads):
    return whole("threads", threads, 0, 1024)


def numbers(argument, values):
    """A list of ints from None, one number or several."""
    if values is None:
        return []
    return [whole(argument, v) for v in (values if np.ndim(values) else [values])]


def tensor(name, array, *, codes=None, shape=None, writable=False):
    """`codes`: the type of packed codes in a uint8 array; `shape`: theirs."""
    if array is None:
        raise ValueError(f"{name}: an array is needed (NumPy, or with DLPack), not None")
    if codes is not None:
        if type_name(getattr(array, "dtype", None)) != "uint8":
            raise ValueError(f"{name}: {codes} codes are packed in a uint8 array, not {kind(array)}")
        if any(dim < 0 for dim in shape):
            raise ValueError(f"{name}: shape {tuple(shape)} has a negative dimension")
        needed, given = packed_bytes(codes, shape), elements(shape_of(name, array))
        if given < needed:  # said here, before memory for a result of this shape is asked for
            raise ValueError(f"{name}: {given} bytes, but shape {tuple(shape)} of {codes} needs {needed}")
        return Tensor(array, name, {**CODES, **PACKED_FLOATS}[codes], list(shape), writable)
    if isinstance(array, np.ndarray) and array.dtype.name == "bfloat16":  # NumPy's DLPack does not know it
        return Tensor(array.view(np.uint16), name, FLOATS["bfloat16"], writable=writable)
    return Tensor(array, name, writable=writable)


def kind(array):
    dtype = getattr(array, "dtype", None)
    return type(array).__name__ if dtype is None else type_name(dtype)


def shape_of(name, array):
    if hasattr(array, "shape"):
        return tuple(int(dim) for dim in array.shape)
    raise ValueError(f"{name}: an array is needed (NumPy, or with DLPack), not {type(array).__name__}")


def elements(shape):
    return math.prod(int(dim) for dim in shape)  # of any size, where NumPy's product overflows


def packed_bytes(dtype, shape):
    return (elements(shape) * PACKED_BITS[dtype] + 7) // 8


def new_array(shape, dtype):
    if dtype == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise ValueError("dtype bfloat16: NumPy arrays of it need the package ml_dtypes") from error
        return np.empty(shape, ml_dtypes.bfloat16)
    return np.empty(shape, dtype)


def float_tensor(name, array, types=VALUES):
    """Of the types that values may have."""
    made = tensor(name, array)
    choose(f"{name}: type", kind(array), types)
    return made


def float_type(dtype, out, types=VALUES):
    """The type of values that is asked for: `dtype`, or that of `out`, or float32."""
    if dtype is None:
        dtype = "float32" if out is None else kind(out)
    return choose("dtype", type_name(dtype), tuple(types))


def output(name, out, shape, dtype):
    """`out` or a new array of floats or whole-byte codes, and its tensor."""
    if out is None:
        out = new_array(shape, dtype)
    made = tensor(name, out, writable=True)
    if kind(out) != dtype:
        raise ValueError(f"{name}: type {kind(out)}, but the result is {dtype}")
    if shape_of(name, out) != tuple(shape):
        raise ValueError(f"{name}: shape {shape_of(name, out)}, but the result has {tuple(shape)}")
    return out, made


def code_output(name, out, shape, dtype):
    """The same for codes: packed types become a flat uint8 array."""
    if dtype not in PACKED_BITS:
        return output(name, out, shape, dtype)
    if out is None:
        out = np.empty(packed_bytes(dtype, shape), np.uint8)
    return out, tensor(name, out, codes=dtype, shape=shape, writable=True)


def scale_tensor(scale, values="float32"):
    """A number becomes a float32 scalar array, or a float64 one for float64 values."""
    if np.isscalar(scale):
        with np.errstate(over="ignore", under="ignore"):  # becomes inf or 0, which is refused
            scale = np.array(real("scale", scale), np.float64 if values == "float64" else np.float32)
    return tensor("scale", scale)


def offset_tensor(offset, scale):
    """A whole number is meant for every scale."""
    if offset is None:
        return None
    if np.isscalar(offset):
        if real("offset", offset) % 1 != 0 or not -(2**31) <= offset < 2**31:
            raise ValueError(f"offset {offset} is not a whole number of int32")
        shape = () if np.isscalar(scale) else shape_of("scale", scale)
        offset = np.full(shape, int(offset), np.int32)
    return tensor("offset", offset)
