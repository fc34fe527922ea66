#!/usr/bin/env python3
"""Decoder blocks of a language model with random LPBQ weights, quantized as AIMET exports: for timing, not for its words.

    bench/models/make_llm_block.py FOLDER [--activation-bits 16] [--blocks 1] [--hidden 2048] [--heads 16] [--ffn 5632]

Needs numpy and onnx from PyPI. Writes FOLDER/model.onnx, operator set 23 (RMSNormalization), and FOLDER/model.encodings,
version 2.1.0. Inputs: x (1, seq, hidden), mask (1, 1, seq, past + seq), and for each block past_key and past_value
(1, heads, past, hidden / heads); outputs: y, and for each block the keys and values with the new rows behind the past.
Lengths are dynamic. Weights have 4 bits in blocks of 64; keys, values and probabilities 8 bits. No rotary embedding: it
is a product of numbers and costs next to nothing. The same seed gives the same files.
"""
import argparse
import json
import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SEED = 1
BLOCK = 64


class Network:
    def __init__(self, bits):
        self.random = np.random.default_rng(SEED)
        self.bits, self.nodes, self.constants, self.encodings = bits, [], [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def encode(self, name, limit, bits=None, low=None):
        """A quantizer of the whole tensor over [low or -limit, limit]."""
        bits = bits or self.bits
        low = -limit if low is None else low
        scale = (limit - low) / (2**bits - 1)
        self.encodings.append({"name": name, "output_dtype": f"uint{bits}", "y_scale": scale,
                               "y_zero_point": round(-low / scale)})
        return name

    def node(self, op, inputs, name, limit=None, bits=None, low=None, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return self.encode(name, limit, bits, low) if limit is not None else name

    def linear(self, x, name, inputs, outputs, bits=None):
        """MatMul with a weight (inputs, outputs), as PyTorch exports Linear on three dimensions."""
        codes = self.random.integers(-8, 8, (inputs // BLOCK, BLOCK, outputs), np.int8)
        integers = self.random.integers(8, 17, (inputs // BLOCK, outputs), np.int8)
        scale = self.random.uniform(1, 2, outputs).astype(np.float32) * np.float32(0.02 / np.sqrt(inputs))
        weight = (codes * (integers.astype(np.float32) * scale)[:, None]).reshape(inputs, outputs)
        self.constant(f"{name}.weight", weight)
        self.encodings.append({"name": f"{name}.weight", "output_dtype": "int4", "axis": 0, "block_size": BLOCK,
                               "y_scale": {"x": integers.tolist(), "x_scale": scale.tolist(), "axis": 1}})
        return self.node("MatMul", [x, f"{name}.weight"], name, 8, bits)

    def norm(self, x, name, hidden):
        weight = self.constant(f"{name}.weight", np.ones(hidden, np.float32))
        return self.node("RMSNormalization", [x, weight], name, 6, axis=-1)

    def heads(self, x, name, heads, size):
        shape = self.constant(f"{name}.shape", np.array([0, 0, heads, size]))
        split = self.node("Reshape", [x, shape], f"{name}.split", 8, 8)
        return self.node("Transpose", [split], f"{name}.heads", 8, 8, perm=[0, 2, 1, 3])

    def attention(self, x, name, hidden, heads):
        size = hidden // heads
        query, key, value = (self.heads(self.linear(x, f"{name}.{p}", hidden, hidden, 8), f"{name}.{p}", heads, size)
                             for p in "qkv")
        past = [self.encode(f"{name}.past_{kind}", 8, 8) for kind in ("key", "value")]
        key = self.node("Concat", [past[0], key], f"{name}.key", 8, 8, axis=2)
        value = self.node("Concat", [past[1], value], f"{name}.value", 8, 8, axis=2)
        turned = self.node("Transpose", [key], f"{name}.turned", 8, 8, perm=[0, 1, 3, 2])
        scores = self.node("MatMul", [query, turned], f"{name}.scores", 64)
        factor = self.constant(f"{name}.factor", np.float32(1 / np.sqrt(size)))
        scaled = self.node("Mul", [scores, factor], f"{name}.scaled", 64 / np.sqrt(size))
        masked = self.node("Add", [scaled, "mask"], f"{name}.masked", 64 / np.sqrt(size))
        weights = self.node("Softmax", [masked], f"{name}.weights", 1, 8, 0, axis=-1)
        mixed = self.node("MatMul", [weights, value], f"{name}.mixed", 8)
        turned = self.node("Transpose", [mixed], f"{name}.mixed_rows", 8, perm=[0, 2, 1, 3])
        rows = self.node("Reshape", [turned, self.constant(f"{name}.flat", np.array([0, 0, hidden]))], f"{name}.rows", 8)
        return self.linear(rows, f"{name}.o", hidden, hidden)

    def block(self, x, name, hidden, heads, ffn):
        attended = self.attention(self.norm(x, f"{name}.norm1", hidden), name, hidden, heads)
        x = self.node("Add", [x, attended], f"{name}.add1", 12)
        normed = self.norm(x, f"{name}.norm2", hidden)
        gate, up = (self.linear(normed, f"{name}.{p}", hidden, ffn) for p in ("gate", "up"))
        sigmoid = self.node("Sigmoid", [gate], f"{name}.sigmoid", 1, None, 0)
        silu = self.node("Mul", [gate, sigmoid], f"{name}.silu", 8)
        down = self.linear(self.node("Mul", [silu, up], f"{name}.product", 16), f"{name}.down", ffn, hidden)
        return self.node("Add", [x, down], f"{name}.add2", 16)


def make(folder, bits, blocks, hidden, heads, ffn):
    net = Network(bits)
    x = net.encode("x", 8)
    net.encode("mask", 0, low=-64.0)
    inputs = {"x": [1, "seq", hidden], "mask": [1, 1, "seq", "total"]}
    outputs = {}
    for i in range(blocks):
        x = net.block(x, f"b{i}", hidden, heads, ffn)
        for kind in ("key", "value"):
            inputs[f"b{i}.past_{kind}"] = [1, heads, "past", hidden // heads]
            outputs[f"b{i}.{kind}"] = [1, heads, "total", hidden // heads]
    outputs = {x: [1, "seq", hidden], **outputs}
    values = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
              for side in (inputs, outputs)]
    graph = helper.make_graph(net.nodes, "llm", *values, net.constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10), folder / "model.onnx")
    with open(folder / "model.encodings", "w") as file:
        json.dump({"version": "2.1.0", "producer": {"package": "aimet-torch"}, "encodings": net.encodings}, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    for name, value in (("activation-bits", 16), ("blocks", 1), ("hidden", 2048), ("heads", 16), ("ffn", 5632)):
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    make(arguments.folder, arguments.activation_bits, arguments.blocks, arguments.hidden, arguments.heads, arguments.ffn)


if __name__ == "__main__":
    main()
