"""Float formats: float16 down to float4, and what AIMET makes of any other."""

import numpy as np

from . import _lanequant
from ._arrays import (
    PACKED_FLOATS,
    choose,
    code_output,
    float_tensor,
    float_type,
    kind,
    numbers,
    output,
    scale_tensor,
    shape_of,
    tensor,
    threads_of,
    type_name,
)

# exponent bits, mantissa bits, finite, unsigned zero
FORMATS = {
    "float16": (5, 10, False, False),
    "bfloat16": (8, 7, False, False),
    "float8_e4m3fn": (4, 3, True, False),
    "float8_e4m3fnuz": (4, 3, True, True),
    "float8_e5m2": (5, 2, False, False),
    "float8_e5m2fnuz": (5, 2, True, True),
    "float6_e2m3fn": (2, 3, True, False),
    "float6_e3m2fn": (3, 2, True, False),
    "float4_e2m1fn": (2, 1, True, False),
}


def _quantizer(format, scale, block_size, saturate=True):
    quantizer = _lanequant.Float()
    if isinstance(format, str):
        fields = choose("format", format, FORMATS)
    else:
        fields = (*numbers("format", format), False, False)
        if len(fields) != 4:
            raise ValueError(f"format {format!r} is not a name or (exponent bits, mantissa bits)")
    quantizer.exponent_bits, quantizer.mantissa_bits, quantizer.finite, quantizer.unsigned_zero = fields
    quantizer.scale = None if scale is None else scale_tensor(scale)
    quantizer.block_size = numbers("block_size", block_size)
    quantizer.saturate = bool(saturate)
    return quantizer


def float_scale(format, maxval):
    """The scale under which the largest value of a float format stands for maxval: AIMET's calibration.

    As AIMET computes it for one maxval; of many at once torch's vectorized power is one unit in the last place off for
    1 in 40.

    format: as for quantize_dequantize_float.
    maxval: a number or an array, each finite and not 0: what the largest magnitudes of the data are.

    Returns a float32 array of the shape of maxval, for `scale` of the functions here.

    ValueError: a format that is none, a maxval that is 0 or not finite.

    >>> lanequant.float_scale("float8_e4m3fn", [448.0, 7.0])
    array([1.      , 0.015625], dtype=float32)
    """
    quantizer = _quantizer(format, None, None)
    try:
        values = np.asarray(maxval, np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"maxval {maxval!r} is neither a number nor an array of them") from None
    scales = [_lanequant.float_scale(quantizer, float(value)) for value in values.ravel()]
    return np.array(scales, np.float32).reshape(values.shape)


def quantize_float(
    x, format, scale=None, *, block_size=None, saturate=True, dtype="uint8", out=None, threads=0
):
    """The codes of a float8, float6 or float4 format: sign, exponent, mantissa from the highest bit down.

    x, scale, block_size, saturate: as for quantize_dequantize_float.
    format: one of the formats of 8, 6 and 4 bits that have a name.
    dtype: "uint8", one code each; or packed: "uint4", two codes a byte, of "float4_e2m1fn", and "uint6", four in three
        bytes, of the float6 formats.

    Returns an array of the shape of x; of packed codes a flat uint8 array.

    ValueError: as for quantize_dequantize_float.

    >>> lanequant.quantize_float(np.array([1.0, -448.0], np.float32), "float8_e4m3fn")
    array([ 56, 254], dtype=uint8)
    """
    quantizer = _quantizer(format, scale, block_size, saturate)
    dtype = choose("dtype", type_name(dtype), ("uint8", *PACKED_FLOATS))
    x_tensor = float_tensor("x", x)
    out, codes = code_output("out", out, shape_of("x", x), dtype)
    _lanequant.quantize_float(x_tensor, quantizer, codes, threads_of(threads))
    return out


def dequantize_float(
    codes,
    format,
    scale=None,
    *,
    block_size=None,
    codes_dtype="uint8",
    shape=None,
    dtype=None,
    out=None,
    threads=0,
):
    """The numbers that codes of a float format stand for, times scale, rounded once to `dtype`.

    codes: uint8, as quantize_float returns them; with codes_dtype "uint4" or "uint6" packed, of `shape`.
    format, scale, block_size: as for quantize_float.
    dtype: "float32", "float16" or "bfloat16", of the result. Default: that of `out`, or "float32".

    Returns an array of `dtype`, of the shape of the codes.

    ValueError: types, shapes, formats without codes, packed codes without shape.

    >>> lanequant.dequantize_float(np.array([56, 254], np.uint8), "float8_e4m3fn")
    array([   1., -448.], dtype=float32)
    """
    quantizer = _quantizer(format, scale, block_size)
    codes_dtype = type_name(codes_dtype)
    if codes_dtype in PACKED_FLOATS:
        if shape is None:
            raise ValueError(f"codes of {codes_dtype} need their shape")
        shape = numbers("shape", shape)
        in_tensor = tensor("codes", codes, codes=codes_dtype, shape=shape)
    else:
        choose("codes_dtype", codes_dtype, ("uint8", *PACKED_FLOATS))
        shape = shape_of("codes", codes)
        in_tensor = tensor("codes", codes)
    out, out_tensor = output("out", out, shape, float_type(dtype, out))
    _lanequant.dequantize_float(in_tensor, quantizer, out_tensor, threads_of(threads))
    return out


def quantize_dequantize_float(
    x, format, scale=None, *, block_size=None, saturate=True, dtype=None, out=None, threads=0
):
    """x / scale rounded to a small float format, times scale: AIMET's FloatQuantizeDequantize.

    x: float32, float16 or bfloat16.
    format: "float16", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
        "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", or (exponent bits, mantissa bits) for any other of AIMET's.
    scale, block_size: as for quantize; None: 1.
    saturate: what lies beyond the largest value becomes it; else infinite, or NaN in formats without infinity.
    dtype: of the result: that of x or, with a scale of some dimensions, "float32". Default: that of `out`, or of x.

    Returns an array of the shape of x.

    >>> lanequant.quantize_dequantize_float(np.array([0.3, 500.0], np.float32), "float8_e4m3fn")
    array([3.125e-01, 4.480e+02], dtype=float32)
    """
    quantizer = _quantizer(format, scale, block_size, saturate)
    x_tensor = float_tensor("x", x)
    if dtype is None:
        dtype = kind(x if out is None else out)
    out, out_tensor = output("out", out, shape_of("x", x), type_name(dtype))
    _lanequant.quantize_dequantize_float(x_tensor, quantizer, out_tensor, threads_of(threads))
    return out
