#!/usr/bin/env python3
"""Linear layers of lanequant beside its peers: the same sizes and threads in one run, as a table and as JSON.

    bench/peers/linear_peers.py --rows 1,16,64,512 --output linear.json
    bench/plot.py linear linear.json --output linear.png

Needs numpy, onnx and onnxruntime from PyPI; run it under taskset with as many cores as --threads. oneDNN and ggml join
where bench/peers/onednn_linear.cc and ggml_linear.cc were built (see their first lines).
lanequant is timed before and after each peer; of each the best run counts. Work of the same kind is compared: 8-bit
activations with 8-bit weights (the peers give int32 sums, lanequant requantized codes), and with 4-bit weights (of which
only lanequant's are LPBQ; MatMulNBits and ggml have float scales in them and quantize their float activations themselves).
"""
import argparse
import json
import subprocess
import sys

import numpy as np

from timing import best_seconds

BLOCK = 64


def lanequant_rows(args, shape, m):
    blocks_fit = int(shape.split("x")[1]) % BLOCK == 0
    command = [args.lanequant, "bench", "linear", "--json", "--threads", str(args.threads), "--shapes", shape, "--rows", str(m),
               "--precision", f"a8w8,a8w4-lpbq{BLOCK}" if blocks_fit else "a8w8"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["linear"]


def session(nodes, inputs, outputs, constants, threads):
    import onnxruntime as ort
    from onnx import helper

    graph = helper.make_graph(nodes, "layer", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnxruntime_cases(n, k, threads):
    """(name, bits of the weights, function of m that gives a function to time)"""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(1)

    def value(name, kind, columns):
        return helper.make_tensor_value_info(name, kind, ["M", columns])

    def timed(run, make):
        def of(m):
            x = make(m)
            return lambda: run.run(None, {"x": x})

        return of

    weights = numpy_helper.from_array(random.integers(-128, 128, (k, n), dtype=np.int8), "w")
    integer = session([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], [value("x", TensorProto.UINT8, k)],
                      [value("y", TensorProto.INT32, n)], [weights], threads)
    yield "ONNX Runtime MatMulInteger", 8, timed(integer, lambda m: random.integers(0, 256, (m, k), dtype=np.uint8))

    scale = numpy_helper.from_array(np.full((1,), 0.01, np.float32), "s")
    dynamic = session([helper.make_node("DynamicQuantizeMatMul", ["x", "w", "s"], ["y"], domain="com.microsoft")],
                      [value("x", TensorProto.FLOAT, k)], [value("y", TensorProto.FLOAT, n)], [weights, scale], threads)
    yield "ONNX Runtime DynamicQuantizeMatMul", 8, timed(dynamic, lambda m: random.standard_normal((m, k), dtype=np.float32))

    if k % BLOCK == 0:
        codes = numpy_helper.from_array(random.integers(0, 256, (n, k // BLOCK, BLOCK // 2), dtype=np.uint8), "w")
        scales = numpy_helper.from_array(random.random(n * k // BLOCK, dtype=np.float32), "s")
        node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=k, N=n, bits=4,
                                block_size=BLOCK, accuracy_level=4)
        nbits = session([node], [value("x", TensorProto.FLOAT, k)], [value("y", TensorProto.FLOAT, n)], [codes, scales],
                        threads)
        yield "ONNX Runtime MatMulNBits", 4, timed(nbits, lambda m: random.standard_normal((m, k), dtype=np.float32))


def program_rows(name, command, shape, m):
    """Of onednn_linear or ggml_linear: (name, bits of the weights, seconds); none where they refuse the shape"""
    if not command[0]:
        return []
    result = subprocess.run([command[0], shape, str(m), *command[1:]], check=False, capture_output=True, text=True)
    if result.returncode != 0:
        print(f"{shape} M={m:<5} {name} fails: {result.stderr.strip()}", file=sys.stderr)
        return []
    return [(f"{name} {row['version']} {row['weights']}", 8 if row["weights"] in ("s8", "q8_0") else 4, row["seconds"])
            for row in json.loads(result.stdout)]


def faster(before, after):
    return [min(pair, key=lambda row: row["best_seconds"]) for pair in zip(before, after)]


def measure(args, shape, m, cases):
    """Our rows and the peers' rows."""
    before = lanequant_rows(args, shape, m)
    peers = [(name, bits, best_seconds(make(m), 0.3, 11)) for name, bits, make in cases] + \
        program_rows("oneDNN", [args.onednn], shape, m) + \
        program_rows("ggml", [args.ggml, str(args.threads)], shape, m)
    ours = faster(before, lanequant_rows(args, shape, m))
    seconds_of = {8 if row["precision"] == "a8w8" else 4: row["best_seconds"] for row in ours}
    return ours, [{"shape": shape, "m": m, "peer": name, "weight_bits": bits, "peer_seconds": seconds,
                   "lanequant_seconds": seconds_of[bits], "lanequant_is_faster_by": seconds / seconds_of[bits]}
                  for name, bits, seconds in peers if bits in seconds_of]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanequant", default="build/release/bin/lanequant")
    parser.add_argument("--onednn", default="", help="the program of bench/peers/onednn_linear.cc")
    parser.add_argument("--ggml", default="", help="the program of bench/peers/ggml_linear.cc")
    parser.add_argument("--shapes", default="4096x4096", help="NxK,...")
    parser.add_argument("--rows", default="1,16,64,512")
    parser.add_argument("--threads", type=int, default=1, help="oneDNN takes as many as it has cores")
    parser.add_argument("--output", help="JSON")
    args = parser.parse_args()
    ours, peers = [], []
    for shape in args.shapes.split(","):
        n, k = (int(size) for size in shape.split("x"))
        cases = list(onnxruntime_cases(n, k, args.threads))
        for m in (int(m) for m in args.rows.split(",")):
            ours_here, peers_here = measure(args, shape, m, cases)
            ours += ours_here
            peers += peers_here
            for row in peers_here:
                print(f"{shape} M={m:<5} {row['peer']:34} {1e3 * row['peer_seconds']:9.3f} ms, lanequant "
                      f"{1e3 * row['lanequant_seconds']:9.3f} ms: {row['lanequant_is_faster_by']:.2f} x", flush=True)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            json.dump({"linear": ours, "peers": peers}, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
