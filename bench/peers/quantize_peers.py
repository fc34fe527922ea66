#!/usr/bin/env python3
"""Peers of the bulk quantizers on one thread, as JSON that bench/plot.py reads. A peer that is not installed is left out
with a line on stderr. All come from PyPI: onnxruntime with onnx, torch, aimet-torch."""
import importlib
import json
import sys
import time

import numpy as np

COUNT = 1 << 26  # 64 Mi float32, as the benchmarks' "memory" size
ROWS = 1 << 16
PASSES = 5


def gelem_per_second(run):
    run()  # first touch and lazy set-up
    best = min(timed(run) for _ in range(PASSES))
    return COUNT / best * 1e-9


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def onnxruntime_cases():
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper

    def session(op, source, target):
        inputs = [helper.make_tensor_value_info("x", source, [ROWS, COUNT // ROWS])]
        outputs = [helper.make_tensor_value_info("y", target, [ROWS, COUNT // ROWS])]
        codes = target if op == "QuantizeLinear" else source
        constants = [helper.make_tensor("s", TensorProto.FLOAT, [], [0.0078]), helper.make_tensor("z", codes, [], [0])]
        graph = helper.make_graph([helper.make_node(op, ["x", "s", "z"], ["y"])], "g", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def bound(op, values, target, out):
        run = session(op, onnx.helper.np_dtype_to_tensor_dtype(values.dtype), target)
        binding = run.io_binding()
        binding.bind_cpu_input("x", values)
        binding.bind_output("y", "cpu", 0, out.dtype, out.shape, out.ctypes.data)
        return lambda: run.run_with_iobinding(binding)

    shape = (ROWS, COUNT // ROWS)
    floats = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    codes = np.zeros(shape, np.int8)
    yield "QuantizeLinear/s8", bound("QuantizeLinear", floats, TensorProto.INT8, codes)
    yield "DequantizeLinear/s8", bound("DequantizeLinear", codes, TensorProto.FLOAT, floats)


def torch_cases():
    import torch

    torch.set_num_threads(1)
    values = torch.randn(ROWS, COUNT // ROWS)
    yield "fake_quantize/s8", lambda: torch.fake_quantize_per_tensor_affine(values, 0.0078, 0, -128, 127)


def aimet_torch_cases():
    import torch
    from aimet_torch.quantization import affine

    torch.set_num_threads(1)
    values = torch.randn(ROWS, COUNT // ROWS)
    per_tensor = torch.tensor(0.0078), torch.tensor(0.0)
    blocks = torch.full((ROWS, COUNT // ROWS // 64), 0.0078), torch.zeros(ROWS, COUNT // ROWS // 64)

    def qdq(scale, offset, **options):
        with torch.no_grad():
            return affine.quantize_dequantize(values, scale, offset, **options)

    yield "QDQ/s8/tensor", lambda: qdq(*per_tensor, qmin=-128, qmax=127)
    yield "QDQ/s4/block64", lambda: qdq(*blocks, qmin=-8, qmax=7, block_size=(1, 64))

    lpbq = affine.GroupedBlockQuantizeDequantize((ROWS, COUNT // ROWS // 64), bitwidth=4, symmetric=True,
                                                 decompressed_bw=8, block_size=(1, 64), block_grouping=(1, -1))
    with lpbq.compute_encodings():
        lpbq(values)

    def lpbq_qdq():
        with torch.no_grad():
            return lpbq(values)

    yield "LPBQ QDQ/s4/block64", lpbq_qdq


def main():
    rows = []
    for peer, cases in (("onnxruntime", onnxruntime_cases), ("torch", torch_cases), ("aimet_torch", aimet_torch_cases)):
        try:
            version = importlib.import_module(peer).__version__
            for name, run in cases():
                rows.append({"name": f"peer/{peer} {version} {name}/memory", "Gelem/s": gelem_per_second(run)})
                print(f"{rows[-1]['name']}: {rows[-1]['Gelem/s']:.2f} Gelem/s", file=sys.stderr)
        except ImportError as reason:
            print(f"{peer} left out: {reason}", file=sys.stderr)
    json.dump({"benchmarks": rows}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
