#!/usr/bin/env python3
"""A chain of Linear layers with random LPBQ weights as AIMET exports them: for timing how a model is loaded.

    bench/models/make_lpbq_model.py FOLDER [--gigabytes 1] [--features 4096] [--block 64] [--external]

Needs numpy and onnx from PyPI. Writes FOLDER/model.onnx, operator set 17: Gemm with float32 weights that lie on their
4-bit grid, and a bias; FOLDER/model.encodings, version 2.1.0: 8-bit activations, an integer scale for each block of each
weight. --gigabytes is the size of the weights; with --external they lie in FOLDER/model.data, which may be larger than the
2 GB that an ONNX file may have. Blocks of 4 make 0.25 GB of JSON for 1 GB of weights. The same seed gives the same files.
"""
import argparse
import json
import pathlib

import numpy as np
from onnx import TensorProto, helper, save
from onnx.external_data_helper import set_external_data

SEED = 1


def layer(random, features, block):
    """Weights, their integer block scales (outputs, blocks) and their channel scales."""
    codes = random.integers(-8, 8, (features, features // block, block), np.int8)
    integers = random.integers(8, 17, (features, features // block), np.int8)
    scale = random.uniform(1, 2, features).astype(np.float32) * np.float32(0.25 / 128 / np.sqrt(features))
    steps = integers.astype(np.float32) * scale[:, None]  # AIMET's order: one rounding, then another
    return (codes * steps[:, :, None]).reshape(features, features), integers, scale


def tensor(name, array, data):
    """Inside the model, or appended to the file `data`."""
    if data is None:
        return helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.tobytes(), raw=True)
    made = helper.make_tensor(name, TensorProto.FLOAT, [0], b"", raw=True)
    made.dims[:] = array.shape
    set_external_data(made, "model.data", data.tell(), array.nbytes)
    made.ClearField("raw_data")
    data.write(array.tobytes())
    return made


def activation(name):
    return {"name": name, "output_dtype": "uint8", "y_scale": 1 / 64, "y_zero_point": 128}


def make(folder, layers, features, block, external):
    random = np.random.default_rng(SEED)
    nodes, constants, encodings = [], [], [activation("x0")]
    data = open(folder / "model.data", "wb") if external else None
    for i in range(layers):
        weight, integers, scale = layer(random, features, block)
        names = f"x{i}", f"fc{i}.weight", f"fc{i}.bias"
        constants += [tensor(names[1], weight, data), tensor(names[2], np.zeros(features, np.float32), data)]
        nodes.append(helper.make_node("Gemm", names, [f"x{i + 1}"], f"fc{i}", transB=1))
        encodings.append({"name": names[1], "output_dtype": "int4", "axis": 1, "block_size": block,
                          "y_scale": {"x": integers.tolist(), "x_scale": scale.tolist(), "axis": 0}})
        encodings.append(activation(f"x{i + 1}"))
    if data is not None:
        data.close()
    ends = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, ["n", features]) for i in (0, layers)]
    graph = helper.make_graph(nodes, "lpbq", ends[:1], ends[1:], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    with open(folder / "model.encodings", "w") as file:
        json.dump({"version": "2.1.0", "producer": {"package": "aimet-torch"}, "encodings": encodings}, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--features", type=int, default=4096)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--external", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    layers = max(1, round(arguments.gigabytes * 2**30 / (4 * arguments.features**2)))
    make(arguments.folder, layers, arguments.features, arguments.block, arguments.external)


if __name__ == "__main__":
    main()
