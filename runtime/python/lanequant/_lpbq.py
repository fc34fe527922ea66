"""LPBQ (low-power blockwise quantization): 4-bit codes, an integer scale per block, a float scale per group."""

from typing import NamedTuple

import numpy as np

from . import _lanequant
from ._affine import PROFILES
from ._arrays import PACKED_BITS, choose, code_output, kind, numbers, output, shape_of, tensor, threads_of, type_name, whole

TOOLS = {"aimet_torch": 0, "aimet_onnx": 1}


class Lpbq(NamedTuple):
    """real = codes * int_scale * channel_scale, where each scale covers its block or group of blocks."""

    codes: np.ndarray  # packed in uint8 up to 4 bits, else int8 or int16 of the weight's shape
    int_scale: np.ndarray  # int32, one for each block, 1..2^(decompressed_bitwidth - bitwidth): per_block_int_scale
    channel_scale: np.ndarray  # one for each group: float32 of aimet_torch, float64 of aimet_onnx
    scale: np.ndarray  # float32, int_scale * channel_scale, one for each block


def _code_type(bitwidth):
    return "int2" if bitwidth <= 2 else "int4" if bitwidth <= 4 else "int8" if bitwidth <= 8 else "int16"


def _layout(shape, block_size, block_grouping, bitwidth, decompressed_bitwidth):
    block_size = numbers("block_size", block_size)
    if not block_size:
        raise ValueError(f"block_size: no numbers, but the weight of shape {tuple(shape)} needs one for each dimension")
    if len(block_size) > len(shape):
        raise ValueError(f"block_size {tuple(block_size)} has more dimensions than the weight of shape {tuple(shape)}")
    covered = shape[len(shape) - len(block_size) :]
    layout = _lanequant.LpbqLayout()
    layout.bitwidth = whole("bitwidth", bitwidth, 2, 16)
    layout.decompressed_bitwidth = whole("decompressed_bitwidth", decompressed_bitwidth, 2, 32)
    for block, dim in zip(block_size, covered):
        if block != -1 and (block < 1 or dim % block):
            raise ValueError(f"block_size {block} does not divide dimension {dim} of the weight {tuple(shape)}")
    layout.scale_shape = [1 if block == -1 else dim // block for block, dim in zip(block_size, covered)]
    layout.block_size = block_size
    layout.block_grouping = numbers("block_grouping", block_grouping)
    return layout


def lpbq_compress(
    weight,
    block_size,
    *,
    block_grouping=None,
    bitwidth=4,
    decompressed_bitwidth=8,
    int_scale=None,
    channel_scale=None,
    tool="aimet_torch",
    out=None,
    threads=0,
):
    """The codes and scales of a weight, as AIMET's GroupedBlockQuantizeDequantize has them.

    weight: float32.
    block_size: in elements, one for each dimension of the weight; -1: the whole dimension. (1, 64) for a Linear
        weight, (1, 16, -1, -1) for a Conv weight.
    block_grouping: how many blocks share a channel_scale, one for each dimension; -1: all of it; None: all but those
        of the first dimension, AIMET's grouping of Linear and Conv weights.
    int_scale, channel_scale: those of an export, of the shapes weight / block_size and that / block_grouping.
        Default: derived from the weight by min-max calibration.
    tool: whose arithmetic and rounding, "aimet_torch" or "aimet_onnx".

    Returns Lpbq(codes, int_scale, channel_scale, scale).

    ValueError: types, shapes, blocks or groups that do not divide, only one of int_scale and channel_scale.

    >>> w = lanequant.lpbq_compress(np.full((64, 128), 7.0, np.float32), (1, 32))
    >>> w.codes.shape, w.int_scale.shape, w.channel_scale.shape
    ((4096,), (64, 4), (64, 1))
    """
    shape = shape_of("weight", weight)
    if block_grouping is None:
        block_grouping = [1] + [-1] * (len(numbers("block_size", block_size)) - 1)
    layout = _layout(shape, block_size, block_grouping, bitwidth, decompressed_bitwidth)
    weight_tensor = tensor("weight", weight)
    number = choose("tool", tool, TOOLS)
    if (int_scale is None) != (channel_scale is None):
        raise ValueError("int_scale and channel_scale belong together, but only one is given")
    if int_scale is None:
        scales = _lanequant.lpbq_derive_of_weight(weight_tensor, layout, number, threads_of(threads))
    else:
        scales = _scales(layout, int_scale, channel_scale)
    out, codes = code_output("out", out, shape, _code_type(bitwidth))
    profile = PROFILES["aimet_onnx" if tool == "aimet_onnx" else "aimet_div"]
    _lanequant.lpbq_compress(weight_tensor, scales, profile, codes, threads_of(threads))
    real = np.float64 if tool == "aimet_onnx" else np.float32
    return Lpbq(
        out,
        np.array(scales.int_scale(), np.int32).reshape(layout.scale_shape),
        np.array(scales.channel_scale(), real).reshape(scales.group_shape()),
        np.array(scales.scale(), np.float32).reshape(layout.scale_shape),
    )


def _scales(layout, int_scale, channel_scale):
    """Small arrays: integers of any type become int32."""
    integers = np.asarray(int_scale)
    if integers.dtype.kind not in "iu" or (integers.size and not 0 <= integers.min() <= integers.max() < 2**31):
        raise ValueError(f"int_scale: whole numbers of int32 are needed, not {integers.dtype.name}")
    integers = np.ascontiguousarray(integers, np.int32)
    channels = np.ascontiguousarray(channel_scale)
    return _lanequant.lpbq_make(layout, tensor("int_scale", integers), tensor("channel_scale", channels))


def lpbq_expand(
    codes,
    int_scale,
    channel_scale,
    *,
    shape,
    block_size,
    block_grouping=None,
    bitwidth=4,
    decompressed_bitwidth=8,
    dtype="float32",
    out=None,
    threads=0,
):
    """The weight of LPBQ codes: AIMET's dequantized float32 weight, or int8 codes of the decompressed grid.

    codes, int_scale, channel_scale: as lpbq_compress returns them, or from an export.
    shape: of the weight.
    block_size, block_grouping, bitwidth, decompressed_bitwidth: as for lpbq_compress.
    dtype: "float32": codes * (int_scale * channel_scale); "int8": codes * int_scale, whose scale is channel_scale.

    Returns an array of `shape`.

    >>> w = lanequant.lpbq_compress(np.full((64, 128), 7.0, np.float32), (1, 32))
    >>> float(lanequant.lpbq_expand(*w[:3], shape=(64, 128), block_size=(1, 32))[0, 0])
    7.0
    """
    shape = numbers("shape", shape)
    if block_grouping is None:
        block_grouping = [1] + [-1] * (len(numbers("block_size", block_size)) - 1)
    layout = _layout(shape, block_size, block_grouping, bitwidth, decompressed_bitwidth)
    code_type = _code_type(bitwidth)
    if code_type in PACKED_BITS:
        in_tensor = tensor("codes", codes, codes=code_type, shape=shape)
    else:
        if kind(codes) != code_type or list(shape_of("codes", codes)) != shape:
            raise ValueError(f"codes: {code_type} of shape {tuple(shape)} is needed, not {kind(codes)} of shape "
                             f"{shape_of('codes', codes)}")
        in_tensor = tensor("codes", codes)
    dtype = choose("dtype", type_name(dtype), {name: name for name in ("float32", "int8")})
    out, out_tensor = output("out", out, shape, dtype)
    _lanequant.lpbq_expand(in_tensor, _scales(layout, int_scale, channel_scale), out_tensor, threads_of(threads))
    return out
