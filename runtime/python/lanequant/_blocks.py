"""Block formats: MX, BFP."""

from typing import NamedTuple

import numpy as np

from . import _lanequant
from ._arrays import (
    PACKED_FLOATS,
    choose,
    code_output,
    float_tensor,
    float_type,
    kind,
    new_array,
    numbers,
    output,
    shape_of,
    tensor,
    threads_of,
    type_name,
    whole,
)

BLOCK_FORMATS = {
    "onnx_mx": 0,
    "torch_mx": 1,
    "onnx_bfp": 2,
    "onnx_compiler_bfp": 3,
    "onnx_bfp_prime": 4,
    "torch_bfp16": 5,
    "torch_mx_pairs": 6,
}
ELEMENTS = {"e2m1": 0, "e2m3": 1, "e3m2": 2, "e4m3": 3, "e5m2": 4, "integer": 5}
EXPONENTS = {"floor": 0, "floor_log2": 1, "ceil_log2": 2, "even": 3}
TIES = {"away": 0, "up": 1, "even": 2}


class BlockCodes(NamedTuple):
    """The value of code q in a block with scale s is q * 2**(s - 127); integers of n bits count 2**-(n - 2)."""

    codes: np.ndarray
    scales: np.ndarray


def _quantizer(format, element, exponent, ties, bit_width, block_size, axis):
    quantizer = _lanequant.Blocks()
    quantizer.format = choose("format", format, BLOCK_FORMATS)
    quantizer.element = choose("element", element, ELEMENTS)
    quantizer.exponent = choose("exponent", exponent, EXPONENTS)
    quantizer.ties = choose("ties", ties, TIES)
    quantizer.bit_width = whole("bit_width", bit_width, -(2**31), 2**31 - 1)
    quantizer.block_size = 0 if block_size is None else whole("block_size", block_size)
    quantizer.axis = whole("axis", axis)
    return quantizer


def _code_type(format, element, bit_width):
    if format in ("onnx_mx", "torch_mx") and element != "integer":
        return "uint4" if element == "e2m1" else "uint8"
    return "int16" if format == "onnx_bfp" and bit_width > 16 else "int8"


def _scale_shape(shape, format, block_size, axis):
    """As far as they make sense: the library says what does not."""
    size = block_size or (8 if "bfp" in format else 32)
    shape = list(shape)
    if -len(shape) <= axis < len(shape) and size > 0:
        shape[axis] //= size
    return tuple(shape)


def quantize_dequantize_blocks(
    x,
    format,
    *,
    element="e2m1",
    exponent="floor",
    ties="even",
    bit_width=16,
    block_size=None,
    axis=-1,
    out=None,
    threads=0,
):
    """x on the grid of its block: consecutive elements along `axis` that share a power of two.

    x: float32, float16 or bfloat16.
    format: "onnx_mx" (com.amd.quark MXQuantizeDequantize; takes element, ties), "torch_mx" (Quark's torch quantizer;
        element, exponent), "onnx_bfp" (BFPQuantizeDequantize; bit_width, ties), "onnx_compiler_bfp" (ties),
        "onnx_bfp_prime" (bit_width, ties), "torch_bfp16", "torch_mx_pairs" (bit_width; block_size is needed).
    element: "e2m1", "e2m3", "e3m2", "e4m3", "e5m2" or "integer".
    exponent: "floor", "floor_log2", "ceil_log2" or "even": how the block's exponent follows from its largest value.
    ties: "away", "up" or "even".
    block_size: None: the format's own.

    Returns an array of the shape and type of x.

    >>> lanequant.quantize_dequantize_blocks(np.array([0.3, 5.0, -9.0], np.float32), "torch_mx", element="e2m1")
    array([ 0.,  4., -8.], dtype=float32)
    """
    quantizer = _quantizer(format, element, exponent, ties, bit_width, block_size, axis)
    x_tensor = float_tensor("x", x)
    out, out_tensor = output("out", out, shape_of("x", x), kind(x))
    _lanequant.quantize_dequantize_blocks(x_tensor, quantizer, out_tensor, threads_of(threads))
    return out


def quantize_blocks(
    x,
    format,
    *,
    element="e2m1",
    exponent="floor",
    ties="even",
    bit_width=16,
    block_size=None,
    axis=-1,
    dtype=None,
    threads=0,
):
    """Codes of x, and the power of two of each block, as files have them.

    x, format, element, exponent, bit_width, block_size, axis: as for quantize_dequantize_blocks; no "onnx_bfp_prime" and
        "torch_mx_pairs", whose blocks have parts. Blocks must divide the dimension `axis`.
    ties: "even".
    dtype: of the codes. Floats "uint8": sign, exponent, mantissa from the highest bit down; e2m1 also "uint4" (its
        default), two codes a byte; e2m3 and e3m2 also "uint6", four in three bytes as in Quark's files; integers "int8" (default up to 8 bits) or "int16".

    Returns BlockCodes(codes, scales): codes of the shape of x (packed: flat uint8); scales uint8 (E8M0), of the shape of
    x but one for each block along `axis`. A block with an infinity or NaN has the scale 255: it reads as NaN.

    ValueError: types, shapes, blocks that do not divide, formats without codes.

    >>> lanequant.quantize_blocks(np.array([[0.3, 5.0, -9.0, 1.0]], np.float32), "torch_mx", block_size=4)
    BlockCodes(codes=array([64, 30], dtype=uint8), scales=array([[128]], dtype=uint8))
    """
    quantizer = _quantizer(format, element, exponent, ties, bit_width, block_size, axis)
    dtype = _code_type(format, element, bit_width) if dtype is None else type_name(dtype)
    choose("dtype", dtype, ("uint4", "uint6", "uint8", "int8", "int16"))
    x_tensor, shape = float_tensor("x", x), shape_of("x", x)
    codes, codes_tensor = code_output("codes", None, shape, dtype)
    scales = new_array(_scale_shape(shape, format, block_size, axis), "uint8")
    scales_tensor = tensor("scales", scales, writable=True)
    _lanequant.quantize_blocks(x_tensor, quantizer, codes_tensor, scales_tensor, threads_of(threads))
    return BlockCodes(codes, scales)


def dequantize_blocks(
    codes,
    scales,
    format,
    *,
    element="e2m1",
    bit_width=16,
    block_size=None,
    axis=-1,
    codes_dtype=None,
    shape=None,
    dtype=None,
    out=None,
    threads=0,
):
    """The numbers that quantize_blocks' codes and scales stand for, rounded once to `dtype`.

    codes, scales: as quantize_blocks returns them; packed codes with codes_dtype "uint4" or "uint6" and their `shape`.
    format, element, bit_width, block_size, axis: as for quantize_blocks.
    dtype: "float32", "float16" or "bfloat16", of the result. Default: that of `out`, or "float32".

    Returns an array of `dtype`, of the shape of the codes.

    ValueError: types, shapes, blocks that do not divide, packed codes without shape.

    >>> lanequant.dequantize_blocks(np.array([[3, -64]], np.int8), np.array([[130]], np.uint8), "onnx_bfp", block_size=2)
    array([[ 0.375, -8.   ]], dtype=float32)
    """
    quantizer = _quantizer(format, element, "floor", "even", bit_width, block_size, axis)
    if codes_dtype is not None and type_name(codes_dtype) in PACKED_FLOATS:
        if shape is None:
            raise ValueError(f"codes of {type_name(codes_dtype)} need their shape")
        shape = numbers("shape", shape)
        codes_tensor = tensor("codes", codes, codes=type_name(codes_dtype), shape=shape)
    else:
        if codes_dtype is not None and type_name(codes_dtype) != kind(codes):
            raise ValueError(f"codes are {kind(codes)}, but codes_dtype is {type_name(codes_dtype)}")
        shape = shape_of("codes", codes)
        codes_tensor = tensor("codes", codes)
    out, out_tensor = output("out", out, shape, float_type(dtype, out))
    _lanequant.dequantize_blocks(codes_tensor, tensor("scales", scales), quantizer, out_tensor, threads_of(threads))
    return out
