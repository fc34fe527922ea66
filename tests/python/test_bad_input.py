"""Bad input to the Python package: a ValueError that names the argument and the numbers, and no output touched."""

import unittest

import lanequant
import numpy as np
from support import Case, random


class ErrorsTest(Case):
    def test_quantizers(self):
        x = random((4, 6))
        grid = dict(qmin=-8, qmax=7)

        def refused(*parts, **options):
            arguments = {**dict(x=x, scale=1.0), **grid, **options}
            self.assert_refused(lambda: lanequant.quantize(**arguments), *parts)
            arguments.pop("dtype", None)
            self.assert_refused(lambda: lanequant.quantize_dequantize(**arguments), *parts)

        for scale in (0.0, -1.0, np.nan, np.inf):
            refused("scale", scale=scale)
        refused("scale", scale=np.ones((4, 1), np.float64))
        refused("scale", "(5)", scale=np.ones(5, np.float32))
        refused("block_size", scale=np.ones((4, 2), np.float32), block_size=(1, 4))
        refused("block_size", scale=np.ones((4, 2), np.float32), block_size=(3,))
        refused("qmin", "7", qmin=7)
        refused("offset", offset=0.5)
        refused("offset", offset=np.zeros((), np.int64))
        refused("offset", offset=np.zeros(3, np.int32))
        refused("profile 'aimet'", "aimet_div", profile="aimet")
        refused("zero_point_shift", zero_point_shift=0.25)
        self.assert_refused(lambda: lanequant.quantize(x, 1.0, **grid, dtype="int3"), "int3", "int4")
        self.assert_refused(lambda: lanequant.quantize(x, 1.0, **grid, dtype="int2"), "s2")

    def test_codes(self):
        codes = np.zeros(12, np.uint8)
        dequantize = lanequant.dequantize
        self.assert_refused(lambda: dequantize(codes, 1.0, codes_dtype="int4"), "shape")
        self.assert_refused(lambda: dequantize(codes, 1.0, codes_dtype="int4", shape=(5, 5)), "12 bytes", "13")
        self.assert_refused(lambda: dequantize(codes, 1.0, codes_dtype="int4", shape=(-1, 5)), "(-1, 5)")
        self.assert_refused(lambda: dequantize(codes.view(np.int8), 1.0, codes_dtype="int4", shape=(4,)), "uint8")
        self.assert_refused(lambda: dequantize(codes, 1.0, codes_dtype="int8"), "uint8", "int8")
        self.assert_refused(lambda: dequantize(codes, 1.0, shape=(3, 4)), "(12,)", "(3, 4)")
        self.assert_refused(lambda: dequantize(codes, 1.0, dtype="int8"), "int8")


class BadInputTest(Case):
    """Each spoils one argument of a good call: a ValueError that names it, with its numbers, and no output touched."""

    def spoil(self, function, good, table):
        function(**good)  # legal as it stands
        out = good["out"]
        out.fill(7)
        before = out.tobytes()
        for bad, *parts in table:
            with self.subTest(bad=bad):
                self.assert_refused(lambda: function(**{**good, **bad}), *parts)
                self.assertEqual(out.tobytes(), before)

    def affine(self, x=True):
        huge = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (2**20, 2**20), (0, 0))
        scale = np.ones((4, 2), np.float32)
        return [
            (dict(x=random((6, 8)).T), "x", "not contiguous"),
            (dict(x=random((8, 12))[:, ::2]), "x", "not contiguous"),
            (dict(x=random((8, 6)).astype(np.int64)), "x: type 'int64'", "float32"),
            (dict(scale=np.ones(6, np.float64)), "scale", "f64"),
            (dict(x=random((8, 6)).astype(np.complex64)), "x", "complex64"),
            (dict(x=random((8, 5))), "(8, 5)", "(8, 6)"),
            (dict(x=huge), "x", "not contiguous"),
            (dict(x=None), "x", "None"),
            (dict(scale=None), "scale", "None"),
            (dict(scale=0.0), "scale", "0"),
            (dict(scale=np.nan), "scale", "nan"),
            (dict(scale=np.inf), "scale", "inf"),
            (dict(scale=-0.5), "scale", "-0.5"),
            (dict(scale=np.array([1, 1, 0, 1, 1, 1], np.float32)), "scale", "element 2"),
            (dict(scale="wide"), "scale", "wide"),
            (dict(scale="0.5"), "scale", "'0.5'"),
            (dict(scale=1j), "scale", "1j"),
            (dict(scale=np.ones(6, np.int32)), "scale", "s32"),
            (dict(scale=np.ones(12, np.float32)[::2]), "scale", "not contiguous"),
            (dict(scale=np.ones(5, np.float32)), "5 scales", "over x of shape" if x else "over codes of shape", "6"),
            (dict(scale=np.ones((3, 1), np.float32)), "3 scales", "8"),
            (dict(scale=scale, block_size=(2, 4)), "block_size", "2 scales", "blocks of 4", "6"),
            (dict(scale=scale, block_size=(2, 0)), "block_size", "0"),
            (dict(scale=scale, block_size=(2,)), "block_size", "1 numbers", "2"),
            (dict(scale=scale, block_size=(2, 2**63)), "block_size", "9223372036854775808"),
            (dict(scale=scale, block_size=(2, 1.5)), "block_size", "1.5"),
            (dict(scale=scale, block_size="23"), "block_size", "'23'"),
            (dict(offset=0.5), "offset", "0.5"),
            (dict(offset=np.nan), "offset", "nan"),
            (dict(offset=2**31), "offset", "2147483648"),
            (dict(offset="up"), "offset", "up"),
            (dict(offset=np.zeros(6, np.int64)), "offset", "s64"),
            (dict(offset=np.zeros(5, np.int32)), "offset", "5"),
            (dict(offset=np.zeros(0, np.int32)), "offset", "0 bytes", "(0)"),
            (dict(zero_point_shift=0.25), "zero_point_shift", "0.25"),
            (dict(zero_point_shift="half"), "zero_point_shift", "half"),
            (dict(profile="exact"), "profile", "'exact'"),
            (dict(profile=None), "profile", "None"),
            (dict(threads=-1), "threads", "-1", "0..1024"),
            (dict(threads=1.5), "threads", "1.5"),
        ]

    grids = [
        (dict(qmin=7), "qmin", "7"),
        (dict(qmin=8), "qmin", "8", "7"),
        (dict(qmax=2**40), "qmax", "1099511627776"),
        (dict(qmax=2**70), "qmax", "1180591620717411303424"),
        (dict(qmax=7.5), "qmax", "7.5"),
        (dict(qmin="low"), "qmin", "'low'"),
    ]

    def test_quantize(self):
        good = dict(x=random((8, 6)), scale=0.5, qmin=-8, qmax=7, out=np.empty((8, 6), np.int8))
        self.spoil(lanequant.quantize, good, self.affine() + self.grids + [(dict(qmax=200), "s8", "200"), (dict(dtype="int16"), "out", "int8", "int16")])

    def test_quantize_dequantize(self):
        good = dict(x=random((8, 6)), scale=0.5, qmin=-8, qmax=7, out=np.empty((8, 6), np.float32))
        self.spoil(lanequant.quantize_dequantize, good, self.affine() + self.grids)

    def test_dequantize(self):
        good = dict(codes=np.zeros((8, 6), np.int8), scale=0.5, out=np.empty((8, 6), np.float32))
        affine = [row for row in self.affine(x=False) if "x" not in row[0]]
        codes = [
            (dict(codes=np.zeros((8, 6), np.float32)), "codes", "f32"),
            (dict(codes=np.zeros((6, 8), np.int8).T), "codes", "not contiguous"),
            (dict(codes=np.zeros((8, 5), np.int8)), "(8, 5)", "(8, 6)"),
            (dict(codes=np.zeros(23, np.uint8), codes_dtype="int4", shape=(8, 6)), "23 bytes", "24"),
            (dict(codes=np.zeros(24, np.uint8), codes_dtype="int4", shape=(2**40, 2**40)), "24 bytes"),
            (dict(codes=np.zeros(24, np.uint8), codes_dtype="int4", shape=(8, 6.5)), "shape", "6.5"),
        ]
        self.spoil(lanequant.dequantize, good, affine + codes)

    def test_float_formats(self):
        table = [
            (dict(format="float9"), "'float9'"),
            (dict(format=(4, 2.5)), "format", "2.5"),
            (dict(scale=0.0), "scale", "0"),
            (dict(scale=np.ones(0, np.float32)), "scale", "0 bytes", "(0)"),
            (dict(scale=np.ones((3, 1), np.float32)), "3 scales", "8"),
            (dict(scale=np.ones((8, 4), np.float32), block_size=(1, 2)), "block_size", "4 scales", "6"),
            (dict(threads="all"), "threads", "'all'"),
        ]
        x = [(dict(x=random((6, 8)).T), "x", "not contiguous"), (dict(x=random((8, 5))), "(8, 5)", "(8, 6)")]
        good = dict(x=random((8, 6)), format="float8_e4m3fn")
        floats, codes = np.empty((8, 6), np.float32), np.empty((8, 6), np.uint8)
        self.spoil(lanequant.quantize_dequantize_float, dict(good, out=floats), table + x)
        table.append((dict(format="float16"), "e5m10"))
        self.spoil(lanequant.quantize_float, dict(good, out=codes), table + x + [(dict(dtype="int8"), "'int8'")])
        table.append((dict(codes_dtype="uint4"), "shape"))
        good = dict(codes=np.zeros((8, 6), np.uint8), format="float8_e4m3fn", out=floats)
        self.spoil(lanequant.dequantize_float, good, table)

    def test_blocks(self):
        good = dict(x=random((8, 6)), format="torch_mx", out=np.empty((8, 6), np.float32))
        table = [
            (dict(axis=2), "axis", "2", "but x has 2 dimensions"),
            (dict(axis=0.5), "axis", "0.5"),
            (dict(block_size=-3), "-3"),
            (dict(block_size=2**64), "block_size", "18446744073709551616"),
            (dict(format="onnx_bfp", bit_width=2**40), "bit_width", "1099511627776"),
            (dict(format="onnx_bfp", bit_width=40), "40"),
            (dict(element="e9m9"), "element", "'e9m9'"),
            (dict(x=random((8, 6)).astype(np.float16)), "out: type float32", "float16"),
            (dict(out=np.empty((6, 8), np.float32)), "out", "(6, 8)", "(8, 6)"),
        ]
        self.spoil(lanequant.quantize_dequantize_blocks, good, table)

    def test_block_codes(self):
        x, blocks = random((8, 64)), lanequant.quantize_blocks
        for parts, options in (
            (("dimension 1", "(8, 60)", "60"), dict(x=random((8, 60)))),
            (("not contiguous",), dict(x=random((64, 8)).T)),
            (("x: type 'float64'",), dict(x=x.astype(np.float64))),
            (("axis", "3", "2 dimensions"), dict(axis=3)),
            (("block_size", "-4"), dict(block_size=-4)),
            (("ties",), dict(format="onnx_mx", element="integer", ties="up")),
            (("sub_block_size", "2"), dict(format="onnx_bfp_prime")),
            (("codes", "s8", "u4"), dict(dtype="int8")),
            (("codes", "s8", "s16"), dict(format="onnx_bfp", bit_width=20, dtype="int8")),
            (("'float32'", "uint4"), dict(dtype=np.float32)),
            (("integer_bits", "15"), dict(format="onnx_bfp", bit_width=24)),
        ):
            with self.subTest(options=options):
                self.assert_refused(lambda: blocks(**{**dict(x=x, format="torch_mx"), **options}), *parts)
        codes, scales = blocks(x, "torch_mx", element="e4m3")
        good = dict(codes=codes, scales=scales, format="torch_mx", element="e4m3", out=np.empty((8, 64), np.float32))
        table = [
            (dict(scales=scales[:, :1].copy()), "scales", "(8, 1)", "(8, 2)"),
            (dict(scales=scales.view(np.int8)), "scales", "s8", "u8"),
            (dict(scales=None), "scales", "None"),
            (dict(codes=codes.view(np.int8)), "codes", "s8", "u8"),
            (dict(codes=codes[:, ::2]), "codes", "not contiguous"),
            (dict(codes_dtype="uint4"), "shape"),
            (dict(codes_dtype="int8"), "uint8", "int8"),
            (dict(codes_dtype="uint4", shape=(8, 64)), "u4", "floats of 8 bits"),
            (dict(block_size=16), "scales", "(8, 2)", "(8, 4)"),
            (dict(axis="last"), "axis", "'last'"),
            (dict(threads=-2), "threads", "-2"),
        ]
        self.spoil(lanequant.dequantize_blocks, good, table)

    def test_lpbq(self):
        good = dict(weight=random((8, 64)), block_size=(1, 16), out=np.empty(256, np.uint8))
        table = [
            (dict(weight=random((64, 8)).T), "weight", "not contiguous"),
            (dict(weight=random((8, 64)) * np.float32(np.nan)), "nan"),
            (dict(block_size=(1, 15)), "15", "64"),
            (dict(block_size=(1, 0)), "0", "64"),
            (dict(block_size=None), "block_size", "(8, 64)"),
            (dict(block_size=(1, "16")), "block_size", "'16'"),
            (dict(block_grouping=(1, 3)), "3", "4"),
            (dict(bitwidth=1), "bitwidth", "1"),
            (dict(decompressed_bitwidth=3), "3", "4"),
            (dict(out=np.empty(255, np.uint8)), "255 bytes", "256"),
            (dict(threads=2**20), "threads", "1048576"),
        ]
        self.spoil(lanequant.lpbq_compress, good, table)
        made = lanequant.lpbq_compress(good["weight"], (1, 16))
        scales = dict(int_scale=made.int_scale, channel_scale=made.channel_scale, shape=(8, 64), block_size=(1, 16))
        good = dict(codes=made.codes, **scales, out=np.empty((8, 64), np.float32))
        table = [
            (dict(codes=made.codes[:-1]), "255 bytes", "256"),
            (dict(int_scale=made.int_scale * 0), "0", "16"),
            (dict(int_scale=made.int_scale[:7]), "28", "32"),
            (dict(channel_scale=made.channel_scale * np.float32(np.inf)), "inf"),
            (dict(channel_scale=-made.channel_scale), "-"),
            (dict(channel_scale=made.channel_scale[:5]), "5", "8"),
            (dict(shape=(8, 63)), "63"),
        ]
        self.spoil(lanequant.lpbq_expand, good, table)


if __name__ == "__main__":
    unittest.main()
