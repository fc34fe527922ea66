"""Calibration: from values to encodings, as AIMET's analyzers compute them."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from . import _lanequant
from ._arrays import choose, numbers, real, tensor, threads_of, whole

SCHEMES = {"min_max": 0, "percentile": 1, "sqnr": 2, "tf_enhanced": 3, "entropy": 4, "mse": 5}
TOOLS = {"aimet_torch": 0, "aimet_onnx": 1, "onnxruntime": 2, "quark_torch": 3}


class Calibration(NamedTuple):
    """Arrays of scale_shape: float64 of aimet_onnx, else float32. real = (q + offset) * scale."""

    min: np.ndarray
    max: np.ndarray
    scale: np.ndarray
    offset: np.ndarray


def calibrate(
    batches,
    *,
    qmin,
    qmax,
    symmetric,
    scheme="min_max",
    scale_shape=(),
    block_size=None,
    percentile=100.0,
    unsigned_symmetric=False,
    zero_point_shift=0.0,
    tool="aimet_torch",
    threads=0,
):
    """The encodings of one array or of an iterable of arrays, which is read once, one array at a time.

    batches: float32 (float16 too with "min_max" of aimet_torch).
    qmin, qmax, symmetric: the grid, and whether offset 0 stands for 0 (its AIMET equivalent on other grids).
    scheme: "min_max" (all tools), "percentile" (all tools, of 50 to 100), "sqnr" (aimet_torch), "tf_enhanced"
        (aimet_torch, aimet_onnx), "entropy" (onnxruntime), "mse" (quark_torch).
    scale_shape, block_size: as for quantize; (): one encoding for the whole tensor.
    tool: whose arithmetic, to the last bit: "aimet_torch", "aimet_onnx", "onnxruntime" or "quark_torch".

    Returns Calibration(min, max, scale, offset).

    ValueError: types, shapes that the scales do not fit, no batch at all, options that the tool does not have.

    >>> c = lanequant.calibrate(np.array([-1.0, 2.5], np.float32), qmin=0, qmax=255, symmetric=False)
    >>> c.scale, c.offset
    (array(0.01372549, dtype=float32), array(-73., dtype=float32))
    """
    options = _lanequant.AnalyzerOptions()
    options.tool = choose("tool", tool, TOOLS)
    options.scheme = choose("scheme", scheme, SCHEMES)
    options.qmin, options.qmax = whole("qmin", qmin), whole("qmax", qmax)
    options.symmetric = bool(symmetric)
    options.unsigned_symmetric = bool(unsigned_symmetric)
    options.zero_point_shift = real("zero_point_shift", zero_point_shift)
    options.percentile = real("percentile", percentile)
    options.scale_shape = numbers("scale_shape", scale_shape)
    options.block_size = numbers("block_size", block_size)
    if not hasattr(batches, "shape") and not isinstance(batches, Iterable):
        raise ValueError(f"batches: an array or an iterable of arrays is needed, not {type(batches).__name__}")
    analyzer = _lanequant.Analyzer(options)
    for batch in [batches] if hasattr(batches, "shape") else batches:
        analyzer.update(tensor("batch", batch), threads_of(threads))
    results = [np.empty(options.scale_shape, np.float64) for _ in range(4)]
    analyzer.compute([tensor("result", result, writable=True) for result in results], threads_of(threads))
    kind = np.float64 if tool == "aimet_onnx" else np.float32
    return Calibration(*(result.astype(kind) for result in results))
