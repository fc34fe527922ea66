"""Networks and Quark's layers from Python: what they compute, in many threads, and what they refuse."""

import pathlib
import tempfile
import threading
import unittest

import lanequant
import numpy as np
from support import Case, random

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


def joined():
    """An ONNX file: z (1, length) = Concat of x (1, dynamic) and y (1, dynamic)."""

    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    def value(name, length):
        shape = field(1, b"\x08\x01") + field(1, field(2, length))
        return field(1, name) + field(2, field(1, b"\x08\x01" + field(2, shape)))

    axis = field(1, b"axis") + b"\x18\x01" + b"\xa0\x01\x02"
    node = field(1, b"x") + field(1, b"y") + field(2, b"z") + field(3, b"n") + field(4, b"Concat") + field(5, axis)
    graph = field(1, node) + field(2, b"g") + field(11, value(b"x", b"p")) + field(11, value(b"y", b"q"))
    return b"\x08\x08" + field(7, graph + field(12, value(b"z", b"r"))) + field(8, b"\x10\x11")


class ModelTest(Case):
    def setUp(self):
        self.folder = GOLDEN / "digits_cnn" / "w4a8_lpbq"
        self.model = lanequant.Model(self.folder / "model.onnx", self.folder / "model.encodings")
        self.data = np.load(self.folder / "data.npz")

    def test_runs(self):
        self.assertEqual(self.model.inputs, {"input": (-1, 1, 8, 8)})
        self.assertEqual(self.model.outputs, {"output": (-1, 10)})
        self.assertEqual(set(self.model.encodings), {"input", "output"})
        bitwidth, signed, scale, offset = self.model.encodings["input"]
        self.assertEqual((bitwidth, signed, offset), (8, False, 0))
        codes = lanequant.quantize(self.data["input"], scale, offset, qmin=0, qmax=255)
        self.assert_same(self.model.run({"input": codes})["output"], self.model.run({"input": self.data["input"]})["output"])
        y = self.model.run({"input": self.data["input"]})["output"]
        self.assertEqual(int((y.argmax(1) == self.data["label"]).sum()), 356)  # as AIMET in binary64
        for target in ("SSE2", "EMU128", "NEON"):  # whichever this CPU has: the same bits
            try:
                other = lanequant.Model(self.folder / "model.onnx", self.folder / "model.encodings", target=target, threads=1)
            except ValueError:
                continue
            self.assert_same(other.run({"input": self.data["input"]})["output"], y)

    def test_many_threads_share_it(self):
        images = self.data["input"][:24]
        want = self.model.run({"input": images})["output"]
        failures = []

        def work(start):
            for i in range(20):
                batch = 1 + (start + i) % 5
                got = self.model.run({"input": images[start : start + batch]})["output"]
                if got.tobytes() != want[start : start + batch].tobytes():
                    failures.append((start, batch))

        threads = [threading.Thread(target=work, args=(start,)) for start in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_lengths(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "joined.onnx"
            path.write_bytes(joined())
            self.assert_refused(lambda: lanequant.Model(path), "joined.onnx", "an encodings file is needed")
            encodings = pathlib.Path(folder) / "joined.encodings"
            encodings.write_text('{"version": "1.0.0", "activation_encodings": [], "param_encodings": []}', encoding="utf-8")
            model = lanequant.Model(path, encodings)
            self.assertEqual(model.encodings, {})
        self.assertEqual(model.inputs, {"x": (1, -1), "y": (1, -1)})
        for first, second in ((3, 2), (3, 2), (7, 1), (0, 4), (3, 2)):
            x, y = random((1, first)), random((1, second), 2)
            self.assert_same(model.run({"x": x, "y": y})["z"], np.concatenate([x, y], 1))
        self.assert_refused(lambda: model.run({"x": x[0], "y": y}), "(3)", "'x'", "(1, -1)")

    def test_errors(self):
        run = self.model.run
        x = self.data["input"][:2]
        self.assert_refused(lambda: run({}), "[]", "['input']")
        self.assert_refused(lambda: run({"input": x, "more": x}), "more")
        self.assert_refused(lambda: run({"input": x[:, :, :7].copy()}), "(2, 1, 7, 8)", "(2, 1, 8, 8)")
        self.assert_refused(lambda: run({"input": x[:0]}), "batch 0")
        self.assert_refused(lambda: run({"input": np.broadcast_to(x[:1], (2**40, 1, 8, 8))}), "input", "contiguous")
        for inputs in (None, [x], x):
            self.assert_refused(lambda: run(inputs), "inputs", type(inputs).__name__)
        self.assert_refused(lambda: run({"input": x.astype(np.float64)}), "'input'", "f64")
        self.assert_refused(lambda: run({"input": x[:, :, ::-1]}), "input", "contiguous")
        model, encodings = self.folder / "model.onnx", self.folder / "model.encodings"
        self.assert_refused(lambda: lanequant.Model("none.onnx", encodings), "none.onnx")
        self.assert_refused(lambda: lanequant.Model(None, encodings), "onnx", "NoneType")
        self.assert_refused(lambda: lanequant.Model(model, "a\0b"), "encodings", "null character")
        self.assert_refused(lambda: lanequant.Model(model, encodings, bias="int8"), "'int8'", "int32")
        self.assert_refused(lambda: lanequant.Model(model, encodings, target="AVX9"), "AVX9")
        run({"input": x})


class QuarkTest(Case):
    def test_every_export(self):
        """The weights of Quark's own simulation; codes that stand for them; numbers of activations."""
        expected = dict(np.load(GOLDEN / "quark_torch" / "data.npz"))
        folders = sorted(path for path in (GOLDEN / "quark_torch").iterdir() if path.is_dir())
        self.assertGreater(len(folders), 10)
        for folder in folders:
            with self.subTest(folder=folder.name):
                model = lanequant.QuarkModel(folder)
                self.assertEqual([layer.name for layer in model.layers], ["fc1", "fc2"])
                for i, layer in enumerate(model.layers):
                    linear = model.load(i)
                    self.assert_same(linear.weight, expected[f"{folder.name}/{layer.name}"])
                    self.assertEqual(linear.weight.shape, (layer.out_features, layer.in_features))
                    self.assertEqual(linear.bias.shape, (layer.out_features,))
                    self.assertFalse(linear.weight.flags.writeable)
                    self.assertEqual(linear.input is not None, layer.input.endswith("int8, per tensor"))
                    if linear.bitwidth == 0:
                        self.assertIsNone(linear.scale)
                        continue
                    qmin = -(2 ** (linear.bitwidth - 1)) if linear.signed else 0
                    grid = dict(qmin=qmin, qmax=qmin + 2**linear.bitwidth - 1)
                    if linear.scale.ndim:
                        grid["block_size"] = (1, layer.in_features // linear.scale.shape[1])
                    same = lanequant.quantize_dequantize(linear.weight, linear.scale, linear.offset, **grid)
                    two_levels = "within" in layer.weight  # whose values are rounded twice
                    self.assertTrue(np.allclose(same, linear.weight, 2.0**-22 if two_levels else 0, 0))

    def test_arrays_outlive_the_model(self):
        model = lanequant.QuarkModel(GOLDEN / "quark_torch" / "mxfp4")
        linear = model.load(0)
        weight, want = linear.weight, linear.weight.copy()
        del model, linear
        self.assert_same(weight, want)

    def test_errors(self):
        model = lanequant.QuarkModel(GOLDEN / "quark_torch" / "int8_channel_act_int8")
        self.assert_refused(lambda: lanequant.QuarkModel("no-such-folder"), "no-such-folder", "config.json")
        self.assert_refused(lambda: lanequant.QuarkModel(GOLDEN), "config.json")
        self.assert_refused(lambda: lanequant.QuarkModel(None), "folder", "NoneType")
        self.assert_refused(lambda: lanequant.QuarkModel("a\0b"), "folder", "null character")
        self.assert_refused(lambda: model.load(2), "layer 2", "has 2")
        self.assert_refused(lambda: model.load(-1), "layer -1", "has 2")
        self.assert_refused(lambda: model.load("fc1"), "index", "'fc1'")


if __name__ == "__main__":
    unittest.main()
