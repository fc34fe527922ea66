#!/usr/bin/env python3
"""ResNet-50, MobileNetV2 and a small network of branches with random weights, quantized as AIMET exports: for timing, not
for accuracy.

    bench/models/make_models.py FOLDER [--lpbq]

Needs numpy, ml_dtypes and onnx from PyPI. Writes FOLDER/resnet50.onnx, FOLDER/mobilenet_v2.onnx and
FOLDER/inception_tiny.onnx: 8-bit activations (QuantizeLinear, DequantizeLinear with one scale), 8-bit weights with a
scale for each channel, 32-bit biases of scale s_x * s_w. With --lpbq layers of more than one input channel have LPBQ
weights in AIMET's form (blocks of up to 64 input channels, an integer scale for each, a float for each channel), and the
names end in _lpbq. As in AIMET's configurations for integer runtimes a layer and its activation function have one
quantizer behind both. ImageNet's shapes (inception_tiny: a quarter of its height and width), dynamic batch; the same
seed gives the same files.
"""
import argparse
import pathlib

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SEED = 1


class Network:
    """Nodes are appended in order; a tensor is (name of its float, scale)."""

    def __init__(self, lpbq=False):
        self.lpbq = lpbq
        self.random = np.random.default_rng(SEED)
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, **attributes):
        name = f"{op}_{self.count}"
        self.count += 1
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def quantized(self, name, low, high):
        """Behind a quantizer of 0..255 over [low, high]."""
        scale = np.float32((high - low) / 255)
        numbers = [self.constant(scale), self.constant(np.uint8(round(-low / scale)))]
        codes = self.node("QuantizeLinear", [name, *numbers])
        return self.node("DequantizeLinear", [codes, *numbers]), scale

    def weights(self, x, shape):
        """Codes of a weight (channels first) and of its bias; outputs keep a variance of about 1."""
        fan_in = np.prod(shape[1:])
        weight = self.random.standard_normal(shape) * np.sqrt(2 / fan_in)
        block = next((b for b in (64, 48, 32, 24, 16) if shape[1] % b == 0), None) if self.lpbq else None
        values, scale = self.lpbq_weight(weight, block) if block else self.int8_weight(weight)
        bias_scale = (x[1] * scale).astype(np.float32)
        bias = np.rint(self.random.standard_normal(shape[0]) * 0.1 / bias_scale).astype(np.int32)
        return [values, self.dequantized(bias, bias_scale, np.zeros(shape[0], np.int32))]

    def dequantized(self, *arrays):
        return self.node("DequantizeLinear", [self.constant(a) for a in arrays], axis=0)

    def int8_weight(self, weight):
        rows = weight.reshape(len(weight), -1)
        scale = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
        codes = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8).reshape(weight.shape)
        return self.dequantized(codes, scale, np.zeros(len(weight), np.int8)), scale

    def lpbq_weight(self, weight, block):
        """Scales of blocks are multiples 1 to 16 of their channel's: an int8 grid."""
        blocks = weight.reshape(len(weight), -1, block, weight[0, 0].size)
        block_scale = np.abs(blocks).max(axis=(2, 3)) / 7
        scale = (block_scale.max(axis=1) / 16).astype(np.float32)
        factors = np.clip(np.rint(block_scale / scale[:, None]), 1, 16).astype(np.uint8)
        codes = np.clip(np.rint(blocks / (factors * scale[:, None])[..., None, None]), -8, 7)
        codes = codes.astype(ml_dtypes.int4).reshape(weight.shape)
        factors = factors.reshape(factors.shape + (1,) * (weight.ndim - 2))
        block_scales = self.dequantized(factors, scale, np.zeros(len(scale), np.uint8))
        return self.node("DequantizeLinear", [self.constant(codes), block_scales], axis=1, block_size=block), scale

    def activation(self, name, kind):
        if kind == "Relu":
            return self.quantized(self.node("Relu", [name]), 0, 4)
        if kind == "Clip":
            bounds = [self.constant(np.float32(0)), self.constant(np.float32(6))]
            return self.quantized(self.node("Clip", [name, *bounds]), 0, 6)
        return self.quantized(name, -4, 4)

    def conv(self, x, shape, stride=1, group=1, activation="Relu"):
        pad = shape[2] // 2
        name = self.node("Conv", [x[0], *self.weights(x, shape)], strides=[stride] * 2, pads=[pad] * 4, group=group,
                         kernel_shape=shape[2:])
        return self.activation(name, activation)

    def add(self, a, b, activation=None):
        return self.activation(self.node("Add", [a[0], b[0]]), activation)

    def classifier(self, x, channels, classes=1000):
        pooled = self.quantized(self.node("GlobalAveragePool", [x[0]]), -2, 2)
        flat = self.node("Flatten", [pooled[0]]), pooled[1]
        name = self.node("Gemm", [flat[0], *self.weights(flat, (classes, channels))], transB=1)
        return self.quantized(name, -4, 4)[0]

    def write(self, path, output, side=224):
        self.nodes[-1].output[0] = "output"
        assert output == self.nodes[-1].name
        value = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, path.stem, [value("input", TensorProto.FLOAT, ["n", 3, side, side])],
                                  [value("output", TensorProto.FLOAT, ["n", 1000])], self.constants)
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def resnet50(path, lpbq):
    net = Network(lpbq)
    x = net.conv(net.quantized("input", -2.2, 2.7), (64, 3, 7, 7), stride=2)
    x = net.quantized(net.node("MaxPool", [x[0]], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 0, 4)
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            y = net.conv(x, (width, channels, 1, 1))
            y = net.conv(y, (width, width, 3, 3), stride=step)
            y = net.conv(y, (4 * width, width, 1, 1), activation=None)
            if block == 0:
                x = net.conv(x, (4 * width, channels, 1, 1), stride=step, activation=None)
            x, channels = net.add(x, y, "Relu"), 4 * width
    net.write(path, net.classifier(x, channels))


def mobilenet_v2(path, lpbq):
    net = Network(lpbq)
    x = net.conv(net.quantized("input", -2.2, 2.7), (32, 3, 3, 3), stride=2, activation="Clip")
    channels = 32
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for widening, out, blocks, stride in stages:
        for block in range(blocks):
            step, wide = stride if block == 0 else 1, widening * channels
            y = net.conv(x, (wide, channels, 1, 1), activation="Clip") if widening > 1 else x
            y = net.conv(y, (wide, 1, 3, 3), stride=step, group=wide, activation="Clip")
            y = net.conv(y, (out, wide, 1, 1), activation=None)
            x = net.add(x, y) if step == 1 and channels == out else y
            channels = out
    x = net.conv(x, (1280, channels, 1, 1), activation="Clip")
    net.write(path, net.classifier(x, 1280))


def inception_tiny(path, lpbq):
    """Layers of 2 to 5 us in four branches: too small to be split, so that branches run at the same time."""
    net = Network(lpbq)
    x = net.conv(net.quantized("input", -2.2, 2.7), (32, 3, 3, 3), stride=2)
    x = net.conv(x, (64, 32, 3, 3), stride=2)
    for _ in range(6):
        pooled = net.node("MaxPool", [x[0]], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
        heads = [net.conv(x, (16, 64, 1, 1)) for _ in range(3)] + [net.conv(net.quantized(pooled, 0, 4), (16, 64, 1, 1))]
        heads[1] = net.conv(heads[1], (16, 16, 3, 3))
        heads[2] = net.conv(net.conv(heads[2], (16, 16, 3, 3)), (16, 16, 3, 3))
        x = net.quantized(net.node("Concat", [head[0] for head in heads], axis=1), 0, 4)
    net.write(path, net.classifier(x, 64), side=56)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--lpbq", action="store_true", help="4-bit weights in blocks")
    options = parser.parse_args()
    folder, ending = options.folder, "_lpbq" if options.lpbq else ""
    folder.mkdir(parents=True, exist_ok=True)
    resnet50(folder / f"resnet50{ending}.onnx", options.lpbq)
    mobilenet_v2(folder / f"mobilenet_v2{ending}.onnx", options.lpbq)
    inception_tiny(folder / f"inception_tiny{ending}.onnx", options.lpbq)


if __name__ == "__main__":
    main()
