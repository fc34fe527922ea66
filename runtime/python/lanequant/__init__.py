"""Quantizers of Qualcomm AIMET and AMD Quark, and networks quantized by them, on CPUs: the codes of the tools, bit for
bit, on every CPU and for any number of threads.

Arrays are NumPy arrays or anything with DLPack (PyTorch tensors, ...) in the CPU's memory, contiguous (row-major); none
of them is copied. Functions return NumPy arrays, or write into `out`, which may be any such array. ml_dtypes.bfloat16
arrays are taken and returned as such. Codes of 4 and 2 bits are packed as in ONNX: a flat uint8 array over the whole
row-major tensor, the first element in the low bits.

`threads`: how many to use; 0: as many as the process may use. The GIL is released during the work, and any number of
Python threads may call at once.

Errors are ValueErrors with one sentence that names the argument and the numbers; nothing has been written then.
"""

from ._affine import dequantize, quantize, quantize_dequantize
from ._blocks import BlockCodes, dequantize_blocks, quantize_blocks, quantize_dequantize_blocks
from ._calibrate import Calibration, calibrate
from ._float import dequantize_float, float_scale, quantize_dequantize_float, quantize_float
from ._lanequant import version as __version__
from ._lpbq import Lpbq, lpbq_compress, lpbq_expand
from ._model import Encoding, Model
from ._quark import QuarkLayer, QuarkLinear, QuarkModel

__all__ = [
    "BlockCodes",
    "Calibration",
    "Encoding",
    "Lpbq",
    "Model",
    "QuarkLayer",
    "QuarkLinear",
    "QuarkModel",
    "calibrate",
    "dequantize",
    "dequantize_blocks",
    "dequantize_float",
    "float_scale",
    "lpbq_compress",
    "lpbq_expand",
    "quantize",
    "quantize_blocks",
    "quantize_dequantize",
    "quantize_dequantize_blocks",
    "quantize_dequantize_float",
    "quantize_float",
]
