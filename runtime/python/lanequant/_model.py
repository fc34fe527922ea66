"""Networks: an ONNX file with its encodings, prepared for this CPU."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from . import _lanequant
from ._affine import PROFILES
from ._arrays import choose, shape_of, tensor, threads_of

BIASES = {"float": 0, "int32": 1}


class Encoding(NamedTuple):
    """One scale for a whole tensor: real = (q + offset) * scale, q of `bitwidth` bits."""

    bitwidth: int
    signed: bool
    scale: float
    offset: int


def path_of(argument, path):
    try:
        path = os.fsdecode(path)
    except TypeError:
        raise ValueError(f"{argument}: a path is needed, not {type(path).__name__}") from None
    if "\0" in path:
        raise ValueError(f"{argument}: the path {path!r} has a null character")
    return path


class Model:
    """A network exported by AIMET, ONNX Runtime or AMD Quark, loaded and prepared once; immutable, so that any number of
    threads may run it.

    onnx, encodings: paths of the exported files; encodings None: the ONNX file holds them, as QuantizeLinear and
        DequantizeLinear nodes.
    bias: "float" as AIMET simulates, "int32" as most devices compute.
    profile: how activations are rounded, as for quantize.
    target: the best instruction set that may be used, "AVX2"; None: the environment's LQ_MAX_ISA, else any.
    threads: that one run uses; 0: as many as the process may use.

    ValueError: files that do not exist, cannot be read or do not fit each other, operators that are not supported; the
    sentence names the file, and the node or tensor.

    >>> model = lanequant.Model("model.onnx", "model.encodings")
    >>> model.inputs
    {'input': (-1, 1, 8, 8)}
    >>> model.run({"input": np.zeros((4, 1, 8, 8), np.float32)})["output"].shape
    (4, 10)
    """

    def __init__(self, onnx, encodings=None, *, bias="float", profile="aimet_div", target=None, threads=0):
        self._session = _lanequant.Session(
            path_of("onnx", onnx),
            "" if encodings is None else path_of("encodings", encodings),
            target,
            choose("profile", profile, PROFILES),
            choose("bias", bias, BIASES),
            threads_of(threads),
        )
        self._idle = []  # (batch or shapes, workspace), as many as there were runs at once
        self._has_lengths = any(size < 0 for shape in self.inputs.values() for size in shape[1:])

    @property
    def inputs(self):
        """The shape of each input by name; -1: a dynamic dimension, the first one the batch."""
        return {name: tuple(shape) for name, shape in self._session.inputs(-1)}

    @property
    def outputs(self):
        """The shape of each output by name; -1: the batch; other dynamic dimensions are as for inputs of length 1."""
        return {name: tuple(shape) for name, shape in self._session.outputs(-1)}

    @property
    def encodings(self):
        """The Encoding(bitwidth, signed, scale, offset) of the inputs and outputs that have one, by name."""
        return {name: Encoding(*fields) for name, fields in self._session.encodings()}

    def run(self, inputs):
        """The network's outputs, a dict of float32 arrays by name.

        inputs: a dict with an array for each input, of float32, or of codes of its encoding (a cache of keys and values
        may cross so). A dynamic batch is the first array's first dimension; other dynamic dimensions, as the lengths of
        a sequence and of its cache, may have any length in each run, that of a cache also 0.

        ValueError: names, shapes, types.
        """
        known = self.inputs
        if not isinstance(inputs, Mapping):
            raise ValueError(f"inputs: a dict of arrays is needed, not {type(inputs).__name__}")
        if set(inputs) != set(known):
            raise ValueError(f"inputs {sorted(inputs)} are given, but the model has {sorted(known)}")
        size = tuple(shape_of(name, inputs[name]) for name in known) if self._has_lengths else self._batch(inputs, known)
        in_tensors = [tensor(name, inputs[name]) for name in known]
        workspace = self._take_workspace(size)
        try:
            shapes = zip(self.outputs, self._session.output_shapes(workspace))
            arrays = {name: np.empty(shape, np.float32) for name, shape in shapes}
            out_tensors = [tensor(name, array, writable=True) for name, array in arrays.items()]
            self._session.run(in_tensors, out_tensors, workspace)
        finally:
            self._idle.append((size, workspace))
        return arrays

    def _batch(self, inputs, known):
        name, shape = next(iter(known.items()), (None, ()))
        if not shape or shape[0] >= 0:
            return shape[0] if shape else 1
        return (shape_of(name, inputs[name]) or (1,))[0]

    def _take_workspace(self, size):
        try:
            made_for, workspace = self._idle.pop()
        except IndexError:
            made_for = None
        if made_for == size:
            return workspace
        return self._session.workspace_for(size) if self._has_lengths else self._session.workspace(size)
