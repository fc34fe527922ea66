# Types of the public functions, kept by hand: the package is plain Python over a native module. What the arguments mean
# is in the docstrings; tests/python/test_types.py compares names, order and defaults.
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, SupportsFloat, SupportsIndex, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

__version__: str
__all__: list[str]

class SupportsDLPack(Protocol):
    """A contiguous array in the CPU's memory: NumPy, PyTorch, ..."""

    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[Any, int]: ...

_Array = NDArray[Any] | SupportsDLPack
_Out = TypeVar("_Out", bound=NDArray[Any] | SupportsDLPack)
_Scale = SupportsFloat | NDArray[Any] | SupportsDLPack
_Sizes = SupportsIndex | Sequence[SupportsIndex]
_Profile = Literal["aimet_div", "aimet_fakequant", "aimet_onnx", "onnx"]
_FloatName = Literal[
    "float16", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float6_e2m3fn",
    "float6_e3m2fn", "float4_e2m1fn",
]
_FloatFormat = _FloatName | tuple[SupportsIndex, SupportsIndex]
_BlockFormat = Literal[
    "onnx_mx", "torch_mx", "onnx_bfp", "onnx_compiler_bfp", "onnx_bfp_prime", "torch_bfp16", "torch_mx_pairs"
]
_Element = Literal["e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "integer"]
_Exponent = Literal["floor", "floor_log2", "ceil_log2", "even"]
_Ties = Literal["away", "up", "even"]
_Scheme = Literal["min_max", "percentile", "sqnr", "tf_enhanced", "entropy", "mse"]
_LpbqTool = Literal["aimet_torch", "aimet_onnx"]
_Tool = Literal["aimet_torch", "aimet_onnx", "onnxruntime", "quark_torch"]
_Type = Any  # a name ("int4"), or a dtype of NumPy, ml_dtypes or PyTorch

class BlockCodes(NamedTuple):
    codes: NDArray[Any]
    scales: NDArray[np.uint8]

class Calibration(NamedTuple):
    min: NDArray[np.floating[Any]]
    max: NDArray[np.floating[Any]]
    scale: NDArray[np.floating[Any]]
    offset: NDArray[np.floating[Any]]

class Lpbq(NamedTuple):
    codes: NDArray[Any]
    int_scale: NDArray[np.int32]
    channel_scale: NDArray[np.floating[Any]]
    scale: NDArray[np.float32]

class Encoding(NamedTuple):
    bitwidth: int
    signed: bool
    scale: float
    offset: int

class QuarkLayer(NamedTuple):
    name: str
    in_features: int
    out_features: int
    weight: str
    input: str
    output: str

class QuarkLinear(NamedTuple):
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    scale: NDArray[np.float32] | None
    offset: NDArray[np.int32] | None
    bitwidth: int
    signed: bool
    input: Encoding | None
    output: Encoding | None

class QuarkModel:
    def __init__(self, folder: str | os.PathLike[str]) -> None: ...
    @property
    def layers(self) -> tuple[QuarkLayer, ...]: ...
    def load(self, index: SupportsIndex) -> QuarkLinear: ...

class Model:
    def __init__(
        self,
        onnx: str | os.PathLike[str],
        encodings: str | os.PathLike[str] | None = None,
        *,
        bias: Literal["float", "int32"] = "float",
        profile: _Profile = "aimet_div",
        target: str | None = None,
        threads: SupportsIndex = 0,
    ) -> None: ...
    @property
    def inputs(self) -> dict[str, tuple[int, ...]]: ...
    @property
    def outputs(self) -> dict[str, tuple[int, ...]]: ...
    @property
    def encodings(self) -> dict[str, Encoding]: ...
    def run(self, inputs: Mapping[str, _Array]) -> dict[str, NDArray[np.float32]]: ...

def calibrate(
    batches: _Array | Iterable[_Array], *, qmin: SupportsIndex, qmax: SupportsIndex, symmetric: bool,
    scheme: _Scheme = "min_max", scale_shape: _Sizes = (), block_size: _Sizes | None = None,
    percentile: SupportsFloat = 100.0, unsigned_symmetric: bool = False, zero_point_shift: SupportsFloat = 0.0,
    tool: _Tool = "aimet_torch", threads: SupportsIndex = 0
) -> Calibration: ...
@overload
def dequantize(
    codes: _Array, scale: _Scale, offset: _Scale | None = None, *, block_size: _Sizes | None = None,
    codes_dtype: _Type | None = None, shape: _Sizes | None = None, dtype: _Type | None = None,
    profile: _Profile = "aimet_div", zero_point_shift: SupportsFloat = 0.0, out: None = None,
    threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def dequantize(
    codes: _Array, scale: _Scale, offset: _Scale | None = None, *, block_size: _Sizes | None = None,
    codes_dtype: _Type | None = None, shape: _Sizes | None = None, dtype: _Type | None = None,
    profile: _Profile = "aimet_div", zero_point_shift: SupportsFloat = 0.0, out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
@overload
def dequantize_blocks(
    codes: _Array, scales: _Array, format: _BlockFormat, *, element: _Element = "e2m1", bit_width: SupportsIndex = 16,
    block_size: _Sizes | None = None, axis: SupportsIndex = -1, codes_dtype: _Type | None = None,
    shape: _Sizes | None = None, dtype: _Type | None = None, out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def dequantize_blocks(
    codes: _Array, scales: _Array, format: _BlockFormat, *, element: _Element = "e2m1", bit_width: SupportsIndex = 16,
    block_size: _Sizes | None = None, axis: SupportsIndex = -1, codes_dtype: _Type | None = None,
    shape: _Sizes | None = None, dtype: _Type | None = None, out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
@overload
def dequantize_float(
    codes: _Array, format: _FloatFormat, scale: _Scale | None = None, *, block_size: _Sizes | None = None,
    codes_dtype: _Type | None = "uint8", shape: _Sizes | None = None, dtype: _Type | None = None, out: None = None,
    threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def dequantize_float(
    codes: _Array, format: _FloatFormat, scale: _Scale | None = None, *, block_size: _Sizes | None = None,
    codes_dtype: _Type | None = "uint8", shape: _Sizes | None = None, dtype: _Type | None = None, out: _Out,
    threads: SupportsIndex = 0
) -> _Out: ...
def float_scale(
    format: _FloatFormat, maxval: Any
) -> NDArray[np.float32]: ...
def lpbq_compress(
    weight: _Array, block_size: _Sizes, *, block_grouping: _Sizes | None = None, bitwidth: SupportsIndex = 4,
    decompressed_bitwidth: SupportsIndex = 8, int_scale: Any | None = None, channel_scale: Any | None = None,
    tool: _LpbqTool = "aimet_torch", out: _Array | None = None, threads: SupportsIndex = 0
) -> Lpbq: ...
@overload
def lpbq_expand(
    codes: _Array, int_scale: Any, channel_scale: Any, *, shape: _Sizes, block_size: _Sizes,
    block_grouping: _Sizes | None = None, bitwidth: SupportsIndex = 4, decompressed_bitwidth: SupportsIndex = 8,
    dtype: _Type | None = "float32", out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def lpbq_expand(
    codes: _Array, int_scale: Any, channel_scale: Any, *, shape: _Sizes, block_size: _Sizes,
    block_grouping: _Sizes | None = None, bitwidth: SupportsIndex = 4, decompressed_bitwidth: SupportsIndex = 8,
    dtype: _Type | None = "float32", out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
@overload
def quantize(
    x: _Array, scale: _Scale, offset: _Scale | None = None, *, qmin: SupportsIndex, qmax: SupportsIndex,
    block_size: _Sizes | None = None, dtype: _Type | None = None, profile: _Profile = "aimet_div",
    zero_point_shift: SupportsFloat = 0.0, out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def quantize(
    x: _Array, scale: _Scale, offset: _Scale | None = None, *, qmin: SupportsIndex, qmax: SupportsIndex,
    block_size: _Sizes | None = None, dtype: _Type | None = None, profile: _Profile = "aimet_div",
    zero_point_shift: SupportsFloat = 0.0, out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
def quantize_blocks(
    x: _Array, format: _BlockFormat, *, element: _Element = "e2m1", exponent: _Exponent = "floor",
    ties: _Ties = "even", bit_width: SupportsIndex = 16, block_size: _Sizes | None = None, axis: SupportsIndex = -1,
    dtype: _Type | None = None, threads: SupportsIndex = 0
) -> BlockCodes: ...
@overload
def quantize_dequantize(
    x: _Array, scale: _Scale, offset: _Scale | None = None, *, qmin: SupportsIndex, qmax: SupportsIndex,
    block_size: _Sizes | None = None, profile: _Profile = "aimet_div", zero_point_shift: SupportsFloat = 0.0,
    out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def quantize_dequantize(
    x: _Array, scale: _Scale, offset: _Scale | None = None, *, qmin: SupportsIndex, qmax: SupportsIndex,
    block_size: _Sizes | None = None, profile: _Profile = "aimet_div", zero_point_shift: SupportsFloat = 0.0,
    out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
@overload
def quantize_dequantize_blocks(
    x: _Array, format: _BlockFormat, *, element: _Element = "e2m1", exponent: _Exponent = "floor",
    ties: _Ties = "even", bit_width: SupportsIndex = 16, block_size: _Sizes | None = None, axis: SupportsIndex = -1,
    out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def quantize_dequantize_blocks(
    x: _Array, format: _BlockFormat, *, element: _Element = "e2m1", exponent: _Exponent = "floor",
    ties: _Ties = "even", bit_width: SupportsIndex = 16, block_size: _Sizes | None = None, axis: SupportsIndex = -1,
    out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
@overload
def quantize_dequantize_float(
    x: _Array, format: _FloatFormat, scale: _Scale | None = None, *, block_size: _Sizes | None = None,
    saturate: bool = True, dtype: _Type | None = None, out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def quantize_dequantize_float(
    x: _Array, format: _FloatFormat, scale: _Scale | None = None, *, block_size: _Sizes | None = None,
    saturate: bool = True, dtype: _Type | None = None, out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
@overload
def quantize_float(
    x: _Array, format: _FloatFormat, scale: _Scale | None = None, *, block_size: _Sizes | None = None,
    saturate: bool = True, dtype: _Type | None = "uint8", out: None = None, threads: SupportsIndex = 0
) -> NDArray[Any]: ...
@overload
def quantize_float(
    x: _Array, format: _FloatFormat, scale: _Scale | None = None, *, block_size: _Sizes | None = None,
    saturate: bool = True, dtype: _Type | None = "uint8", out: _Out, threads: SupportsIndex = 0
) -> _Out: ...
