"""Affine quantizers: real = (q + offset + zero_point_shift) * scale."""

from . import _lanequant
from ._arrays import (
    CODES,
    FLOATS,
    PACKED_BITS,
    choose,
    code_output,
    float_tensor,
    float_type,
    kind,
    numbers,
    offset_tensor,
    output,
    real,
    scale_tensor,
    shape_of,
    tensor,
    threads_of,
    type_name,
    whole,
)

PROFILES = {"aimet_div": 0, "aimet_fakequant": 1, "aimet_onnx": 2, "onnx": 3}


def _quantizer(values, scale, offset, block_size, zero_point_shift, profile, grid=(0, 255)):
    """`values`: the type of the real values."""
    quantizer = _lanequant.Affine()
    quantizer.scale = scale_tensor(scale, values)
    quantizer.offset = offset_tensor(offset, scale)
    quantizer.block_size = numbers("block_size", block_size)
    quantizer.qmin, quantizer.qmax = whole("qmin", grid[0]), whole("qmax", grid[1])
    quantizer.zero_point_shift = real("zero_point_shift", zero_point_shift)
    quantizer.profile = choose("profile", profile, PROFILES)
    return quantizer


def _smallest_type(qmin, qmax):
    for name, low, high in (
        ("uint8", 0, 255),
        ("int8", -128, 127),
        ("uint16", 0, 65535),
        ("int16", -32768, 32767),
    ):
        if low <= qmin and qmax <= high:
            return name
    return "int32"


def quantize(
    x,
    scale,
    offset=None,
    *,
    qmin,
    qmax,
    block_size=None,
    dtype=None,
    profile="aimet_div",
    zero_point_shift=0.0,
    out=None,
    threads=0,
):
    """Integer codes q of `x` on the grid qmin..qmax.

    x: float32, float16, bfloat16, or float64 (profiles "aimet_div" and "aimet_fakequant"); 0 to 8 dimensions.
    scale: a number, or an array of float32, float16 or bfloat16, with float64 x also float64; each finite and > 0.
        Without `block_size` its shape broadcasts over the last dimensions of x: () for the whole tensor,
        (c, 1, 1, 1) for the first of four.
    offset: as AIMET writes it, -zero_point; None for 0; a whole number, or an array of int32 or whole float32 numbers
        (with float64 x also float64) of the scale's shape.
    block_size: one number for each dimension of `scale`: so many consecutive indices share a scale; -1: the dimension
        of x divided by that of scale.
    dtype: "int8", "uint8", "int16", "uint16", "int32", or packed "int4", "uint4", "int2", "uint2". Default: the
        type of `out`, or the smallest of the first five that holds the grid.
    profile: whose rounding. "aimet_div": rint(x / scale) - offset. "aimet_fakequant": rint(x * (1 / scale)) - offset
        (torch.fake_quantize). "aimet_onnx": the op of aimet_onnx, halves go up. "onnx": QuantizeLinear.
    zero_point_shift: 0, or 0.5 (AIMET, for 2-bit weights).

    Returns an array of the shape of x; packed types a flat uint8 array of ceil(x.size * bits / 8) bytes.

    ValueError: types and shapes other than these, arrays that are not contiguous, scales that are not positive or not
    finite, qmin >= qmax, blocks that do not divide, a dtype that does not hold the grid.

    >>> x = np.array([[-1.0, 0.26], [0.5, 3.0]], np.float32)
    >>> lanequant.quantize(x, 0.25, qmin=-8, qmax=7)
    array([[-4,  1],
           [ 2,  7]], dtype=int8)
    >>> lanequant.quantize(x, 0.25, qmin=-8, qmax=7, dtype="int4")  # -4, 1, 2, 7
    array([ 28, 114], dtype=uint8)
    """
    qmin, qmax = whole("qmin", qmin), whole("qmax", qmax)
    if dtype is not None:
        dtype = type_name(dtype)
        choose("dtype", dtype, CODES)
    elif out is not None:
        dtype = kind(out)
        choose("out: type", dtype, CODES)
    else:
        dtype = _smallest_type(qmin, qmax)
    x_tensor = float_tensor("x", x, FLOATS)
    quantizer = _quantizer(kind(x), scale, offset, block_size, zero_point_shift, profile, (qmin, qmax))
    out, codes = code_output("out", out, shape_of("x", x), dtype)
    _lanequant.quantize(x_tensor, quantizer, codes, threads_of(threads))
    return out


def dequantize(
    codes,
    scale,
    offset=None,
    *,
    block_size=None,
    codes_dtype=None,
    shape=None,
    dtype=None,
    profile="aimet_div",
    zero_point_shift=0.0,
    out=None,
    threads=0,
):
    """(codes + offset + zero_point_shift) * scale, in the arithmetic of `dtype`.

    codes: an array of int8, uint8, int16, uint16 or int32; or packed codes in a uint8 array, with their type as
        `codes_dtype` ("int4", "uint4", "int2", "uint2") and their `shape`.
    scale, offset, block_size, profile, zero_point_shift: as for quantize.
    dtype: "float32", "float64", "float16" or "bfloat16", of the result. Default: that of `out`, or "float32".

    Returns an array of `dtype`, of the shape of the codes.

    ValueError: as for quantize; codes_dtype without shape.

    >>> lanequant.dequantize(np.array([-4, 1], np.int8), 0.25)
    array([-1.  ,  0.25], dtype=float32)
    >>> lanequant.dequantize(np.array([28, 114], np.uint8), 0.25, codes_dtype="int4", shape=(2, 2))
    array([[-1.  ,  0.25],
           [ 0.5 ,  1.75]], dtype=float32)
    """
    if codes_dtype is not None and type_name(codes_dtype) in PACKED_BITS:
        if shape is None:
            raise ValueError(f"codes of {type_name(codes_dtype)} need their shape")
        shape = numbers("shape", shape)
        in_tensor = tensor("codes", codes, codes=type_name(codes_dtype), shape=shape)
    else:
        if codes_dtype is not None and type_name(codes_dtype) != kind(codes):
            raise ValueError(f"codes are {kind(codes)}, but codes_dtype is {type_name(codes_dtype)}")
        if shape is not None and tuple(numbers("shape", shape)) != shape_of("codes", codes):
            raise ValueError(f"codes have shape {shape_of('codes', codes)}, but shape is {tuple(numbers('shape', shape))}")
        shape = shape_of("codes", codes)
        in_tensor = tensor("codes", codes)
    dtype = float_type(dtype, out, FLOATS)
    quantizer = _quantizer(dtype, scale, offset, block_size, zero_point_shift, profile)
    out, out_tensor = output("out", out, shape, dtype)
    _lanequant.dequantize(in_tensor, quantizer, out_tensor, threads_of(threads))
    return out


def quantize_dequantize(
    x,
    scale,
    offset=None,
    *,
    qmin,
    qmax,
    block_size=None,
    profile="aimet_div",
    zero_point_shift=0.0,
    out=None,
    threads=0,
):
    """The real values of x's codes, in one pass: what AIMET's quantizers compute in a simulation.

    Arguments and errors as for quantize; `out` may be x itself.

    Returns an array of the shape and type of x. A NaN stays NaN under "aimet_div" and gives the value of qmin under
    the other profiles.

    >>> lanequant.quantize_dequantize(np.array([0.3, 9.0], np.float32), 0.25, qmin=-8, qmax=7)
    array([0.25, 1.75], dtype=float32)
    """
    x_tensor = float_tensor("x", x, FLOATS)
    quantizer = _quantizer(kind(x), scale, offset, block_size, zero_point_shift, profile, (qmin, qmax))
    out, out_tensor = output("out", out, shape_of("x", x), kind(x))
    _lanequant.quantize_dequantize(x_tensor, quantizer, out_tensor, threads_of(threads))
    return out
