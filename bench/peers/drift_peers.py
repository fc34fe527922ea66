#!/usr/bin/env python3
"""How far codes drift with the depth of a network: lanequant, AIMET in float32 and ONNX Runtime against the exact simulator.

    bench/peers/drift_peers.py BUNDLE [--lanequant PROGRAM] [--blocks 1,2,4,8,12,16,20,24,29] [--output drift.json]
    bench/plot.py drift drift.json --output drift.png

Needs numpy, onnx and onnxruntime from PyPI. BUNDLE is the residual network of qualcomm/aimet issue 3978 as AIMET exports
it, quantized to 8 bits: model.onnx and model.encodings (float bias), model_qdq.onnx (int32 bias, which moves codes by
itself), data.npz with `input`, and layers.npz, the activations of AIMET's simulator in float32. Where there is
layers_fp64.npz, AIMET's simulator in binary64, it is compared with ours. The table has codes that differ behind block n.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime


def run(program, model, *arguments):
    """Codes by tensor name."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "layers.npz"
        subprocess.run([program, "run", model, *arguments, "--dump-layers", path], check=True, stdout=subprocess.DEVNULL)
        layers = np.load(path)
        return {name[6:]: layers[name].astype(np.int64) for name in layers.files if name.startswith("codes:")}


class Ort:
    """The quantized tensors of a QDQ graph, one image after the other."""

    def __init__(self, path):
        self.model = onnx.load(path)
        self.numbers = {c.name: onnx.numpy_helper.to_array(c) for c in self.model.graph.initializer}
        self.readers = {n.input[0]: n for n in self.model.graph.node if n.op_type == "QuantizeLinear"}

    def codes(self, tensors, images, optimized):
        """As QuantizeLinear has them behind each of these tensors. More outputs stop fusions, so ask for few."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        names = [self.readers[t].output[0] for t in tensors]
        model.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.UINT8, None) for n in names)
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        runs = [session.run(names, {"input": image[None]}) for image in images]
        return {t: np.concatenate([r[i] for r in runs]).astype(np.int64) for i, t in enumerate(tensors)}


def block_output(block, blocks):
    return "output" if block == blocks else f"/blocks/blocks.{block - 1}/add/Add_output_0"


def encodings(path):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["activation_encodings"]
    return {e["name"]: (np.float64(np.float32(e["scale"][0])), int(e["offset"][0])) for e in entries if e["dtype"] == "INT"}


def codes_of(values, encoding):
    return np.rint(values.astype(np.float64) / encoding[0]).astype(np.int64) - encoding[1]


def measure(bundle, program, shown):
    aimet = np.load(bundle / "layers.npz")
    blocks = sum(name.endswith("/add/Add_output_0") for name in aimet.files) + 1
    images = np.load(bundle / "data.npz")["input"][:len(aimet["output"])]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(pathlib.Path(folder) / "in.npz", input=images)
        data = ["--input", f"{folder}/in.npz:input"]
        models = {"float": (bundle / "model.onnx", "--encodings", bundle / "model.encodings", "--bias", "float"),
                  "int32": (bundle / "model_qdq.onnx",)}
        ours = {bias: run(program, *model, *data) for bias, model in models.items()}
        exact = {bias: run(program, *model, *data, "--reference") for bias, model in models.items()}
    scales = encodings(bundle / "model.encodings")
    exact64 = np.load(bundle / "layers_fp64.npz") if (bundle / "layers_fp64.npz").exists() else {}
    ort = Ort(bundle / "model_qdq.onnx")
    # The QDQ graph calls the numbers in front of the last quantizer output_qdq.
    shown = [block for block in shown if block <= blocks]
    in_qdq = {block: "output_qdq" if block == blocks else block_output(block, blocks) for block in shown}
    plain = ort.codes(in_qdq.values(), images, optimized=False)
    rows = []
    for block in shown:
        name, qdq = block_output(block, blocks), in_qdq[block]
        of_qdq = qdq if qdq in exact["int32"] else "output"
        optimized = ort.codes([qdq], images, optimized=True)
        simulated = {"float": exact["float"][name], "int32": exact["int32"][of_qdq]}
        pairs = {"ours_float": (ours["float"][name], simulated["float"]),
                 "ours_int32": (ours["int32"][of_qdq], simulated["int32"]),
                 "aimet_float32": (codes_of(aimet[name], scales[name]), simulated["float"]),
                 "int32_bias": (simulated["int32"], simulated["float"]),
                 "ort_optimized": (optimized[qdq], simulated["int32"]), "ort_plain": (plain[qdq], simulated["int32"])}
        if name in exact64:
            pairs["aimet_binary64"] = (codes_of(exact64[name], scales[name]), simulated["float"])
        row = {key: int((a != b).sum()) for key, (a, b) in pairs.items()}
        rows.append({"block": block, "codes": simulated["float"].size, **row})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--lanequant", default="build/release/bin/lanequant")
    parser.add_argument("--blocks", default="1,2,4,8,12,16,20,24,29")
    parser.add_argument("--output", type=pathlib.Path, default="drift.json")
    arguments = parser.parse_args()
    rows = measure(arguments.bundle, arguments.lanequant, [int(b) for b in arguments.blocks.split(",")])
    for line in (rows[0], *(row.values() for row in rows)):
        print(" ".join(f"{cell:>14}" for cell in line))
    arguments.output.write_text(json.dumps({"onnxruntime": onnxruntime.__version__, "drift": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
