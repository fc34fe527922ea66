"""The Python package: its quantizers against NumPy's own arithmetic, arrays of other libraries, threads, errors.

Run by ctest where LQ_BUILD_PYTHON is on; needs NumPy, and takes ml_dtypes and torch along where they are installed.
"""

import unittest

import lanequant
import numpy as np
from support import Case, random

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None
try:
    import torch
except ImportError:
    torch = None


def codes_of(x, scale, offset, qmin, qmax):
    """Profile aimet_div in float32."""
    return np.clip(np.rint(x / scale) - np.float32(offset), qmin, qmax)


def pack(codes, bits):
    """Packed as ONNX does it: over the flat tensor, the first element in the low bits."""
    each = 8 // bits
    flat = np.zeros(-(-codes.size // each) * each, np.uint8)
    flat[: codes.size] = codes.ravel().astype(np.int64) & ((1 << bits) - 1)
    return sum(flat[i::each].astype(np.int64) << (i * bits) for i in range(each)).astype(np.uint8)


class DLPackOnly:
    """An array of some other library: nothing but the protocol."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class AffineTest(Case):
    def test_quantize_per_tensor_channel_block(self):
        x = random((6, 8, 10))
        for scale_shape, block_size, expanded in (
            ((), None, lambda s: s),
            ((8, 1), None, lambda s: s),
            ((6, 1, 1), None, lambda s: s),
            ((3, 1, 5), (2, -1, 2), lambda s: s.repeat(2, 0).repeat(2, 2)),
        ):
            scale = np.abs(random(scale_shape, 2)) * np.float32(0.02) + np.float32(0.001)
            offset = np.random.default_rng(3).integers(-5, 5, scale_shape).astype(np.int32)
            scale = np.asarray(scale, np.float32)
            offset = np.asarray(offset, np.int32)
            s, o = expanded(scale), expanded(offset)
            for qmin, qmax, dtype in ((0, 255, np.uint8), (-128, 127, np.int8), (0, 65535, np.uint16), (-9, 700, np.int16)):
                with self.subTest(scale_shape=scale_shape, grid=(qmin, qmax)):
                    q = codes_of(x, s, o, qmin, qmax)
                    grid = dict(qmin=qmin, qmax=qmax, block_size=block_size)
                    codes = lanequant.quantize(x, scale, offset, **grid)
                    self.assert_same(codes, q.astype(dtype))
                    real = ((q + o.astype(np.float32)) * s).astype(np.float32) + np.float32(0)
                    self.assert_same(lanequant.dequantize(codes, scale, offset, block_size=block_size), real)
                    self.assert_same(lanequant.quantize_dequantize(x, scale, offset, **grid), real)

    def test_packed_codes(self):
        x = random((3, 5))
        for dtype, qmin, qmax, bits in (("int4", -8, 7, 4), ("uint4", 0, 15, 4), ("int2", -2, 1, 2), ("uint2", 0, 3, 2)):
            q = codes_of(x, np.float32(0.5), 0, qmin, qmax)
            packed = lanequant.quantize(x, 0.5, qmin=qmin, qmax=qmax, dtype=dtype)
            self.assert_same(packed, pack(q, bits))
            real = lanequant.dequantize(packed, 0.5, codes_dtype=dtype, shape=x.shape)
            self.assert_same(real, q.astype(np.float32) * np.float32(0.5) + np.float32(0))

    def test_profiles(self):
        x = np.array([-1.5, 0.5, 2.5, 0.1], np.float32)
        grid = dict(qmin=-8, qmax=7)
        self.assert_same(lanequant.quantize(x, 1.0, **grid), np.array([-2, 0, 2, 0], np.int8))
        self.assert_same(lanequant.quantize(x, 1.0, **grid, profile="onnx"), np.array([-2, 0, 2, 0], np.int8))
        self.assert_same(lanequant.quantize(x, 1.0, **grid, profile="aimet_onnx"), np.array([-1, 1, 3, 0], np.int8))
        tie = np.array([0x3DCCCCCD], np.uint32).view(np.float32)  # AIMET's docstring: 2 by division, 1 by reciprocal
        self.assertEqual(lanequant.quantize(tie, np.float32(1 / 15), qmin=0, qmax=15)[0], 2)
        self.assertEqual(lanequant.quantize(tie, np.float32(1 / 15), qmin=0, qmax=15, profile="aimet_fakequant")[0], 1)

    def test_float16_and_bfloat16(self):
        kinds = [np.dtype(np.float16)] + ([np.dtype(ml_dtypes.bfloat16)] if ml_dtypes else [])
        for kind in kinds:
            x = random((4, 64)).astype(kind)
            # 4-bit grids are computed in the tensor's own type: quotients are rounded to it.
            quotient = (x.astype(np.float32) / np.float32(0.25)).astype(kind).astype(np.float32)
            q = np.clip(np.rint(quotient), -8, 7)
            self.assert_same(lanequant.quantize(x, 0.25, qmin=-8, qmax=7), q.astype(np.int8))
            real = (q * np.float32(0.25)).astype(kind) + kind.type(0)
            self.assert_same(lanequant.quantize_dequantize(x, 0.25, qmin=-8, qmax=7), real)
            codes = lanequant.quantize(x, 0.25, qmin=-8, qmax=7)
            self.assert_same(lanequant.dequantize(codes, 0.25, dtype=kind), real)
            self.assert_same(lanequant.dequantize(codes, 0.25, dtype=kind.name), real)

    def test_float64(self):
        x = random((6, 64)).astype(np.float64) / 3
        scale = np.abs(random((6, 1), 2)).astype(np.float64) / 300
        offset = np.arange(6.0).reshape(6, 1)
        grid = dict(qmin=-(2**23), qmax=2**23 - 1)
        q = codes_of(x, scale, offset, grid["qmin"], grid["qmax"])
        codes = lanequant.quantize(x, scale, offset, **grid)
        self.assert_same(codes, q.astype(np.int32))
        real = (q + offset) * scale
        self.assert_same(lanequant.dequantize(codes, scale, offset, dtype=np.float64), real)
        self.assert_same(lanequant.dequantize(codes, scale, offset, out=np.empty_like(x)), real)
        self.assert_same(lanequant.quantize_dequantize(x, scale, offset, **grid, threads=2), real)
        # A number is a float64 scale; torch.fake_quantize has 1 / scale, and its one scale's product, in float32.
        self.assert_same(lanequant.quantize_dequantize(x, 0.1, qmin=-8, qmax=7), np.clip(np.rint(x / 0.1), -8, 7) * 0.1 + 0.0)
        s = np.float32(0.1)
        q = np.clip(np.rint(x * np.float64(1 / s)), -8, 7).astype(np.float32)
        got = lanequant.quantize_dequantize(x, s, qmin=-8, qmax=7, profile="aimet_fakequant")
        self.assert_same(got, (q * s).astype(np.float64) + 0.0)

    def test_out_and_threads(self):
        x = random((2000, 513))
        want = lanequant.quantize(x, 0.02, qmin=-128, qmax=127, threads=1)
        self.assert_same(want, codes_of(x, np.float32(0.02), 0, -128, 127).astype(np.int8))
        for threads in (0, 2, 3):
            out = np.empty(x.shape, np.int8)
            self.assertIs(lanequant.quantize(x, 0.02, qmin=-128, qmax=127, out=out, threads=threads), out)
            self.assert_same(out, want)
        y = x.copy()
        lanequant.quantize_dequantize(y, 0.02, qmin=-128, qmax=127, out=y)
        self.assert_same(y, want.astype(np.float32) * np.float32(0.02) + np.float32(0))

    def test_edge_shapes(self):
        self.assert_same(lanequant.quantize(np.float32(3).reshape(()), 1.0, qmin=0, qmax=255), np.array(3, np.uint8))
        empty = np.empty((0, 4), np.float32)
        self.assert_same(lanequant.quantize(empty, 1.0, qmin=0, qmax=255), np.empty((0, 4), np.uint8))
        self.assert_same(lanequant.quantize(empty, 1.0, qmin=-8, qmax=7, dtype="int4"), np.empty(0, np.uint8))
        x = random((1, 5, 1))  # a dimension of 1 is contiguous whatever its stride
        self.assert_same(lanequant.quantize(x.transpose(2, 1, 0), 1.0, qmin=-8, qmax=7),
                         codes_of(x, np.float32(1), 0, -8, 7).astype(np.int8))


class ArraysTest(Case):
    def test_dlpack(self):
        x = random((16, 16))
        want = lanequant.quantize(x, 0.02, qmin=-128, qmax=127)
        self.assert_same(lanequant.quantize(DLPackOnly(x), np.float32(0.02), qmin=-128, qmax=127), want)
        out = np.empty(x.shape, np.int8)
        wrapped = DLPackOnly(out)
        self.assertIs(lanequant.quantize(x, 0.02, qmin=-128, qmax=127, out=wrapped), wrapped)
        self.assert_same(out, want)

    def test_read_only_input(self):
        x = random((16,))
        x.flags.writeable = False
        lanequant.quantize(x, 0.02, qmin=-128, qmax=127)
        self.assert_refused(lambda: lanequant.quantize_dequantize(x, 0.02, qmin=0, qmax=255, out=x), "out", "writable")

    @unittest.skipIf(torch is None, "torch is not installed")
    def test_torch(self):
        x = torch.from_numpy(random((16, 16)))
        want = lanequant.quantize(x.numpy(), 0.02, qmin=-128, qmax=127)
        self.assert_same(lanequant.quantize(x, 0.02, qmin=-128, qmax=127), want)
        out = torch.empty(x.shape, dtype=torch.int8)
        lanequant.quantize(x, torch.tensor(0.02), qmin=-128, qmax=127, out=out)
        self.assert_same(out.numpy(), want)
        half = x.to(torch.bfloat16)
        real = lanequant.quantize_dequantize(half, 0.25, qmin=-8, qmax=7, out=torch.empty_like(half))
        q = torch.clamp(torch.round(half / 0.25), -8, 7)
        self.assertTrue(torch.equal(real, q * 0.25))

    def test_bad_arrays(self):
        grid = dict(qmin=-128, qmax=127)
        x = random((8, 8))
        quantize = lanequant.quantize
        self.assert_refused(lambda: quantize([1.0, 2.0], 1.0, **grid), "x", "array", "list")
        self.assert_refused(lambda: quantize(x[:, ::2], 1.0, **grid), "x", "not contiguous")
        self.assert_refused(lambda: quantize(x.T, 1.0, **grid), "x", "not contiguous")
        self.assert_refused(lambda: quantize(x.astype(np.int32), 1.0, **grid), "x", "int32")
        self.assert_refused(lambda: quantize(x.astype(np.float64), 1.0, **grid, profile="onnx"), "f64", "profile onnx")
        self.assert_refused(lambda: quantize(x.astype(">f4"), 1.0, **grid), "x", ">f4")
        self.assert_refused(lambda: quantize(x.astype(np.uint32), 1.0, **grid), "x", "uint32")
        self.assert_refused(lambda: quantize(x.astype(object), 1.0, **grid), "x", "object")
        self.assert_refused(lambda: quantize(x, 1.0, **grid, out=np.empty((8, 7), np.int8)), "(8, 8)", "(8, 7)")
        self.assert_refused(lambda: quantize(x, 1.0, **grid, out=np.empty((8, 8), np.float32)), "out", "float32")
        self.assert_refused(lambda: quantize(np.empty((1,) * 9, np.float32), 1.0, **grid), "x", "9")
        overlapping = np.zeros(9, np.float32)
        self.assert_refused(
            lambda: lanequant.quantize_dequantize(overlapping[:8], 1.0, **grid, out=overlapping[1:]), "out", "32 bytes of x"
        )
        misaligned = np.frombuffer(b"\0" * 17, np.uint8)[1:].view(np.float32)
        self.assert_refused(lambda: quantize(misaligned, 1.0, **grid), "x: data", "multiple of 4")


class FloatTest(Case):
    def test_formats(self):
        x = random((32, 8), scale=100)
        half = lanequant.quantize_dequantize_float(x, "float16")
        self.assert_same(half, x.astype(np.float16).astype(np.float32))
        if ml_dtypes:
            e4m3 = x.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
            self.assert_same(lanequant.quantize_dequantize_float(np.clip(x, -448, 448), "float8_e4m3fn"), e4m3)
        self.assert_refused(lambda: lanequant.quantize_dequantize_float(x, "float5"), "float5", "float16")
        self.assert_refused(lambda: lanequant.quantize_dequantize_float(x, (20, 20)), "20")
        self.assert_refused(lambda: lanequant.quantize_dequantize_float(x, (4,)), "(4,)")

    def test_codes(self):
        x = random((32, 8), scale=100)
        if ml_dtypes:
            want = np.clip(x, -448, 448).astype(ml_dtypes.float8_e4m3fn)
            codes = lanequant.quantize_float(x, "float8_e4m3fn")
            self.assert_same(codes, want.view(np.uint8))
            self.assert_same(lanequant.dequantize_float(codes, "float8_e4m3fn"), want.astype(np.float32))
        codes = lanequant.quantize_float(x[:, :5].copy(), "float6_e3m2fn", 8.0)
        packed = lanequant.quantize_float(x[:, :5].copy(), "float6_e3m2fn", 8.0, dtype="uint6")
        bits = np.unpackbits(codes.reshape(-1, 1), axis=1, bitorder="little")[:, :6]
        self.assert_same(packed, np.packbits(bits, bitorder="little"))
        real = lanequant.dequantize_float(packed, "float6_e3m2fn", 8.0, codes_dtype="uint6", shape=(32, 5))
        self.assert_same(real, lanequant.dequantize_float(codes, "float6_e3m2fn", 8.0))
        x = np.array([[0.4, -6.0, 1.2], [9.0, -0.1, 2.4]], np.float32)
        packed = lanequant.quantize_float(x, "float4_e2m1fn", dtype="uint4")
        self.assert_same(packed, np.array([0xF1, 0x72, 0x48], np.uint8))
        real = lanequant.dequantize_float(packed, "float4_e2m1fn", codes_dtype="uint4", shape=x.shape, dtype="float16")
        self.assert_same(real, np.array([[0.5, -6, 1], [6, -0.0, 2]], np.float16))

    def test_blocks(self):
        x = np.array([[0.3, 5.0, -9.0, 1.0] * 8], np.float32)
        # The block's exponent is 3 - 2: steps of 2 * {0, .5, 1, 1.5, 2, 3, 4, 6}.
        want = np.array([[0.0, 4.0, -8.0, 1.0] * 8], np.float32)
        self.assert_same(lanequant.quantize_dequantize_blocks(x, "torch_mx", element="e2m1"), want)
        blocks = lanequant.quantize_dequantize_blocks
        self.assert_refused(lambda: blocks(x, "mx"), "'mx'", "torch_mx")
        self.assert_refused(lambda: blocks(x, "torch_mx", axis=2), "axis", "2")
        self.assert_refused(lambda: blocks(x, "onnx_bfp", bit_width=100), "100")

    def test_calibrated(self):
        x = random((4, 64), scale=30)
        scale = lanequant.float_scale("float8_e4m3fn", np.abs(x).max(1, keepdims=True))
        self.assertEqual((scale.shape, scale.dtype), ((4, 1), np.float32))
        y = lanequant.quantize_dequantize_float(x, "float8_e4m3fn", scale)
        np.testing.assert_allclose(np.abs(y).max(1), np.abs(x).max(1), rtol=1e-5)
        for maxval in (0.0, np.nan, np.inf):
            self.assert_refused(lambda: lanequant.float_scale((4, 3), maxval), "maxval", str(maxval)[:1])
        self.assert_refused(lambda: lanequant.float_scale((4, 3), "most"), "maxval 'most'")

    def test_block_codes(self):
        x = random((6, 96))
        for options, dtype in (
            (dict(format="torch_mx", exponent="even"), "uint4"),
            (dict(format="onnx_mx", element="e2m3"), "uint8"),
            (dict(format="torch_mx", element="e3m2"), "uint6"),
            (dict(format="torch_mx", element="e5m2", exponent="ceil_log2"), "uint8"),
            (dict(format="onnx_mx", element="integer"), "int8"),
            (dict(format="torch_bfp16"), "int8"),
            (dict(format="onnx_bfp", bit_width=20), "int16"),
            (dict(format="onnx_mx", element="e4m3", axis=0, block_size=3), "uint8"),
        ):
            want = lanequant.quantize_dequantize_blocks(x, **options)
            codes, scales = lanequant.quantize_blocks(x, **options, dtype=dtype)
            packed = {"uint4": 288, "uint6": 432}.get(dtype)
            self.assertEqual((codes.shape, codes.dtype), ((packed,) if packed else (6, 96), "uint8" if packed else dtype))
            if dtype != "uint6":
                self.assert_same(lanequant.quantize_blocks(x, **options).codes, codes)
            blocks = 8 if "bfp" in options["format"] else 32
            self.assertEqual(scales.shape, (2, 96) if "axis" in options else (6, 96 // blocks))
            options.pop("exponent", None)
            of_codes = dict(codes_dtype=dtype, shape=x.shape) if packed else {}
            back = lanequant.dequantize_blocks(codes, scales, **options, **of_codes)
            self.assert_same(back, want + np.float32(0) if "int" in dtype and "uint" not in dtype else want)
        x[3, 40] = np.nan
        codes, scales = lanequant.quantize_blocks(x, "torch_mx", element="e4m3")
        self.assertEqual(np.argwhere(scales == 255).tolist(), [[3, 1]])
        back = lanequant.dequantize_blocks(codes, scales, "torch_mx", element="e4m3", dtype="float16")
        self.assertEqual(int(np.isnan(back).sum()), 32)
        self.assertTrue(np.isnan(back[3, 32:64]).all())


class LpbqTest(Case):
    def test_round_trip(self):
        weight = random((6, 64), scale=0.1)
        raw = np.abs(weight.reshape(6, 4, 16))
        w = weight.reshape(6, 4, 16)
        # AIMET's min-max on a signed 4-bit grid, then its integer scales.
        raw = np.maximum(np.maximum(w.max(2), 0) / np.float32(7), -np.minimum(w.min(2), 0) / np.float32(8))
        low, high = -8 * raw, np.float32(7) * raw
        raw = ((high - low) / np.float32(15)).astype(np.float32)
        channel = (raw.max(1, keepdims=True) / np.float32(16)).astype(np.float32)
        integers = np.clip(np.rint(raw / channel), 1, 16)
        scale = (integers.astype(np.float32) * channel).astype(np.float32)
        q = np.clip(np.rint(w / scale[:, :, None]), -8, 7)
        got = lanequant.lpbq_compress(weight, (1, 16))
        self.assert_same(got.int_scale, integers.astype(np.int32))
        self.assert_same(got.channel_scale, channel)
        self.assert_same(got.scale, scale)
        self.assert_same(got.codes, pack(q, 4))
        again = lanequant.lpbq_compress(weight, (1, 16), int_scale=got.int_scale, channel_scale=got.channel_scale)
        self.assert_same(again.codes, got.codes)
        layout = dict(shape=weight.shape, block_size=(1, 16))
        real = (q * scale[:, :, None]).astype(np.float32).reshape(weight.shape) + np.float32(0)
        self.assert_same(lanequant.lpbq_expand(*got[:3], **layout) + np.float32(0), real)
        expanded = (q * integers[:, :, None]).astype(np.int8).reshape(weight.shape)
        self.assert_same(lanequant.lpbq_expand(*got[:3], **layout, dtype="int8"), expanded)

    def test_errors(self):
        weight = random((6, 64))
        compress, expand = lanequant.lpbq_compress, lanequant.lpbq_expand
        self.assert_refused(lambda: compress(weight, (1, 15)), "15", "64")
        self.assert_refused(lambda: compress(weight, (1, 1, 16)), "block_size")
        self.assert_refused(lambda: compress(weight, (1, 16), block_grouping=(1, 3)), "3", "4")
        self.assert_refused(lambda: compress(weight, (1, 16), int_scale=np.ones((6, 4), int)), "channel_scale")
        self.assert_refused(lambda: compress(weight, (1, 16), tool="onnx"), "'onnx'", "aimet_onnx")
        self.assert_refused(lambda: compress(weight.astype(np.float64), (1, 16)), "f64")
        good = compress(weight, (1, 16))
        layout = dict(shape=(6, 64), block_size=(1, 16))
        self.assert_refused(lambda: expand(good.codes[:-1], *good[1:3], **layout), "191 bytes", "192")
        self.assert_refused(lambda: expand(good.codes, good.int_scale + 16, good.channel_scale, **layout), "16")
        self.assert_refused(lambda: expand(good.codes, good.int_scale[:5], good.channel_scale, **layout), "20", "24")
        self.assert_refused(lambda: expand(good.codes, good.scale, good.channel_scale, **layout), "float32")
        self.assert_refused(lambda: expand(*good[:3], **layout, dtype="int16"), "int16", "int8")


class CalibrateTest(Case):
    def test_min_max(self):
        # AIMET's documentation: [-1, 2.5] on 8 asymmetric bits.
        got = lanequant.calibrate(np.array([-1.0, 2.5], np.float32), qmin=0, qmax=255, symmetric=False)
        self.assert_same(got.scale, np.array(0x3C60E0E1, np.uint32).view(np.float32))
        self.assert_same(got.offset, np.array(-73, np.float32))
        x = random((6, 40))
        batches = (row.reshape(1, 8, 5) for row in x)
        streamed = lanequant.calibrate(batches, qmin=-128, qmax=127, symmetric=True, scale_shape=(8, 1))
        whole = lanequant.calibrate(x.reshape(6, 8, 5), qmin=-128, qmax=127, symmetric=True, scale_shape=(8, 1), threads=2)
        for one, other in zip(streamed, whole):
            self.assertEqual(one.shape, (8, 1))
            self.assert_same(one, other)
        codes = lanequant.quantize(x.reshape(6, 8, 5), whole.scale, whole.offset, qmin=-128, qmax=127)
        self.assertTrue(np.all(np.abs(codes.astype(int)) <= 128) and codes.max() > 100)

    def test_errors(self):
        grid = dict(qmin=0, qmax=255, symmetric=False)
        x = random((4, 4))
        calibrate = lanequant.calibrate
        self.assert_refused(lambda: calibrate([], **grid))
        self.assert_refused(lambda: calibrate(None, **grid), "batches", "NoneType")
        self.assert_refused(lambda: calibrate(3.0, **grid), "batches", "float")
        self.assert_refused(lambda: calibrate([[1.0]], **grid), "batch", "list")
        self.assert_refused(lambda: calibrate(x, **grid, scale_shape=(3,)), "3")
        self.assert_refused(lambda: calibrate(x, **grid, scheme="max"), "'max'", "min_max")
        self.assert_refused(lambda: calibrate(x, **grid, scheme="percentile", percentile=20), "20")
        self.assert_refused(lambda: calibrate(x, qmin=5, qmax=5, symmetric=False), "5")


if __name__ == "__main__":
    unittest.main()
