"""Random tensors and settings through lanequant and through the aimet_torch that is installed: no code may differ.

Where aimet_torch cannot be imported, one line says why, and the exit status is 77 (skipped). The rounding of aimet_onnx
is drawn too where it and ONNX Runtime are installed. LQ_SEED replaces the seed, LQ_SOAK multiplies the draws.
"""

import os
import sys

import numpy as np

try:
    import torch
    from aimet_torch import quantization as Q
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
import lanequant
from aimet_onnx_op import quantize_dequantize as aimet_onnx_op

DRAWS = 200 * int(os.environ.get("LQ_SOAK", "1"))
TYPES = (torch.float32, torch.float32, torch.float16, torch.bfloat16, torch.float64)
BITWIDTHS = (2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 12, 14, 15, 16, 16, 20, 21, 22, 24, 31, 32)
FLOATS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e4m3fnuz": torch.float8_e4m3fnuz,
    "float8_e5m2": torch.float8_e5m2,
    "float8_e5m2fnuz": torch.float8_e5m2fnuz,
    (4, 3): None,
    (3, 4): None,
    (2, 3): None,
    (3, 2): None,
    (6, 5): None,
}


def bits(array):
    """The bits of numbers of any type, in float64; -0 and 0 are one value, all NaNs another."""
    if isinstance(array, torch.Tensor):
        array = array.detach().to(torch.float64).numpy()
    array = np.asarray(array, np.float64) + 0.0
    return np.where(np.isnan(array), np.nan, array).view(np.uint64)


class Draw:
    """A tensor with scales of a random layout and a random grid."""

    def __init__(self, random):
        self.random = random
        rank = random.integers(1, 5)
        shape = tuple(int(n) for n in random.integers(1, 9, rank))
        self.block_size = None
        layout = random.integers(3)
        if layout == 0:
            scale_shape = ()
        elif layout == 1:
            axis = random.integers(rank)
            scale_shape = (shape[axis],) + (1,) * (rank - 1 - axis)
        else:
            blocks = tuple(int(n) for n in random.integers(1, 5, rank))
            scale_shape, shape = shape, tuple(n * b for n, b in zip(shape, blocks))
            self.block_size = tuple(-1 if random.integers(4) == 0 else b for b in blocks)
            covered = int(random.integers(1, rank + 1))  # leading dimensions may share scales
            scale_shape, self.block_size = scale_shape[-covered:], self.block_size[-covered:]
        self.bitwidth = int(random.choice(BITWIDTHS))
        self.qmin = int(random.choice([0, -(2 ** (self.bitwidth - 1))]))
        if self.bitwidth == 32:
            self.qmin = -(2**31)  # codes are int32
        self.qmax = self.qmin + 2**self.bitwidth - 1
        self.symmetric = bool(self.qmin) and bool(random.integers(2))
        self.type = TYPES[random.integers(len(TYPES))]
        # Scales of the tensor's own type, as a model has that was cast as a whole; small ones round to others there.
        own = bool(random.integers(3) == 0)
        scale = torch.tensor(np.exp2(random.uniform(-9 if self.type == torch.float16 else -12, 2, scale_shape)))
        self.scale = scale.to(self.type if own else torch.float32)
        low, high = (0, 1) if self.symmetric else (-self.qmax, -self.qmin + 1)
        # Beyond 24 bits zero points other than 0 are refused where the arithmetic is float32's.
        if self.qmax - self.qmin >= 2**24 and self.type != torch.float64:
            low, high = 0, 1
        offset = torch.tensor(random.integers(low, high, scale_shape).astype(np.float64))
        self.offset = offset.to(torch.float64 if self.type == torch.float64 else torch.float32)
        self.x = self.values(shape).to(self.type)

    def values(self, shape):
        """Mostly on the grid, some beyond; ties and infinities."""
        units = self.random.uniform(self.qmin - 3, self.qmax + 3, shape)
        units = np.where(self.random.random(shape) < 0.3, np.rint(units * 2) / 2, units)
        scale, offset = self.scale.to(torch.float64), self.offset.to(torch.float64)
        if self.block_size is not None:
            for axis, dim in enumerate(shape[-scale.dim() :]):
                repeat = dim // scale.shape[axis]
                scale, offset = scale.repeat_interleave(repeat, axis), offset.repeat_interleave(repeat, axis)
        x = (torch.tensor(units) + offset) * scale
        if self.type != torch.float64:
            x = x.to(torch.float32)
        x[torch.tensor(self.random.random(shape) < 0.01)] = float(self.random.choice([np.inf, -np.inf, -0.0]))
        return x

    def arguments(self):
        return dict(scale=self.scale, offset=self.offset, block_size=self.block_size)

    def aimet(self, function, tensor, grad=True, **options):
        """Scales that want a gradient make AIMET divide."""
        scale = self.scale.clone().requires_grad_(grad)
        grid = dict(qmin=self.qmin, qmax=self.qmax, block_size=self.block_size)
        return function(tensor, scale, self.offset, **grid, **options)


def fits(qmin, qmax, dtype):
    """AIMET refuses codes that the tensor's type cannot hold."""
    return all(float(torch.tensor(q, dtype=torch.float64).to(dtype)) == q for q in (qmin, qmin + 1, qmax - 1, qmax))


def quantize(draw):
    if not fits(draw.qmin, draw.qmax, draw.type):
        return None
    want = draw.aimet(Q.affine.quantize, draw.x)
    got = lanequant.quantize(draw.x, **draw.arguments(), qmin=draw.qmin, qmax=draw.qmax)
    return want, got


def quantize_dequantize(draw, profile, **options):
    got = torch.empty_like(draw.x)
    grid = dict(qmin=draw.qmin, qmax=draw.qmax)
    lanequant.quantize_dequantize(draw.x, **draw.arguments(), **grid, profile=profile, out=got, **options)
    return got


def by_division(draw):
    shift = dict(zero_point_shift=float(draw.random.choice([0.0, 0.0, 0.5])))
    return draw.aimet(Q.affine.quantize_dequantize, draw.x, **shift), quantize_dequantize(draw, "aimet_div", **shift)


def by_fake_quantize(draw):
    """Per channel torch converts an infinity to int64, which C++ leaves to the CPU: x86 makes qmin of both."""
    if draw.scale.dim():
        draw.x[draw.x.isinf()] = 0.25
    with torch.no_grad():
        want = draw.aimet(Q.affine.quantize_dequantize, draw.x, grad=False)
    return want, quantize_dequantize(draw, "aimet_fakequant")


def dequantize(draw):
    if not fits(draw.qmin, draw.qmax, draw.type):
        return None
    codes = draw.random.integers(draw.qmin, draw.qmax + 1, draw.x.shape)
    values = torch.tensor(codes).to(draw.type)
    want = Q.affine.dequantize(values, draw.scale, draw.offset, block_size=draw.block_size)
    got = torch.empty_like(draw.x)
    lanequant.dequantize(codes.astype(np.int32), **draw.arguments(), dtype=draw.type, out=got)
    return want, got


def min_max(draw):
    x = draw.x.to(torch.float32).nan_to_num(1, 2, -3)
    shape = tuple(draw.scale.shape)
    quantizer = Q.affine.QuantizeDequantize(shape, draw.qmin, draw.qmax, draw.symmetric, block_size=draw.block_size)
    with quantizer.compute_encodings():
        quantizer(x)
    grid = dict(qmin=draw.qmin, qmax=draw.qmax, symmetric=draw.symmetric)
    got = lanequant.calibrate(x, **grid, scale_shape=shape, block_size=draw.block_size)
    want = (quantizer.get_scale(), quantizer.get_offset())
    return torch.cat([t.detach().reshape(-1) for t in want]), np.concatenate([got.scale.ravel(), got.offset.ravel()])


def lpbq(draw):
    """A Linear or Conv weight; groups of all blocks of a channel or of some of them."""
    random = draw.random
    channels, blocks, block, kernel = (int(n) for n in random.integers(1, 9, 4))
    kernel = () if random.integers(2) else (kernel, 3)
    groups = int(random.choice([g for g in range(1, blocks + 1) if blocks % g == 0]))
    grouping = (1, -1 if random.integers(2) else groups) + (1,) * len(kernel)
    weight = torch.tensor(random.standard_normal((channels, blocks * block, *kernel)).astype(np.float32))
    weight[0, :block] *= float(random.choice([1.0, 0.0, 1e-6]))
    bitwidth, more = (int(n) for n in (random.choice([2, 3, 4, 4, 5, 8]), random.choice([0, 1, 2, 4, 4, 8])))
    block_size = (1, block) + ((-1, -1) if kernel and random.integers(2) else kernel)
    quantizer = Q.affine.GroupedBlockQuantizeDequantize(
        (channels, blocks) + (1,) * len(kernel),
        bitwidth,
        True,
        bitwidth + more,
        block_size=block_size,
        block_grouping=grouping,
    )
    with quantizer.compute_encodings():
        quantizer(weight)
    want = quantizer(weight)
    integers = quantizer.get_encodings().per_block_int_scale
    layout = dict(block_size=block_size, block_grouping=grouping, bitwidth=bitwidth, decompressed_bitwidth=bitwidth + more)
    got = lanequant.lpbq_compress(weight, **layout)
    real = lanequant.lpbq_expand(*got[:3], **layout, shape=weight.shape)
    scales = [t.detach().reshape(-1).to(torch.float64) for t in (quantizer.get_scale(), integers, want)]
    return torch.cat(scales), np.concatenate([got.scale.ravel(), got.int_scale.ravel(), real.ravel()])


def float_format(draw):
    """Float formats by name or by bits, with the scale of a calibration or without; exact in any type of tensor."""
    name = list(FLOATS)[draw.random.integers(len(FLOATS))]
    fields = dict(zip(("exponent_bits", "mantissa_bits"), name)) if FLOATS[name] is None else dict(dtype=FLOATS[name])
    x = torch.tensor(draw.random.standard_normal((6, 40)) * np.exp(draw.random.uniform(-4, 4, (6, 40)))).to(torch.float32)
    calibrated = "float16" not in str(name) and bool(draw.random.integers(2))
    quantizer = Q.float.FloatQuantizeDequantize(**fields, **(dict(shape=(6, 1)) if calibrated else {}))
    if calibrated:
        with quantizer.compute_encodings():
            quantizer(x)
    scale = quantizer.get_scale().detach() if calibrated else None
    return quantizer(x), lanequant.quantize_dequantize_float(x, name, scale)


def onnx_op(draw):
    """aimet_onnx: one scale, up to 16 bits; its offsets are those of the unsigned grid, kept as float32."""
    if aimet_onnx_op is None or draw.scale.dim() or draw.bitwidth > 16:
        return None
    draw.scale, draw.offset = draw.scale.to(torch.float32), draw.offset.to(torch.float32)
    draw.x = draw.x.to(torch.float32)
    want = aimet_onnx_op(draw.x.numpy(), draw.scale.numpy(), draw.offset.numpy() + draw.qmin, draw.bitwidth)
    return want, quantize_dequantize(draw, "aimet_onnx")


WORK = [quantize, by_division, by_fake_quantize, dequantize, min_max, lpbq, float_format]
if aimet_onnx_op is not None:
    WORK.append(onnx_op)


def main():
    seed = int(os.environ.get("LQ_SEED", "20261121"))
    random = np.random.default_rng(seed)
    done, numbers, different = 0, 0, 0
    while done < DRAWS:
        draw, work = Draw(random), WORK[done % len(WORK)]
        results = work(draw)
        if results is None:
            continue
        want, got = (bits(result) for result in results)
        count = int((want != got).sum()) if want.shape == got.shape else want.size
        if count:
            print(f"draw {done}, {work.__name__}: {draw.type}, {tuple(draw.x.shape)}, scale {tuple(draw.scale.shape)} of "
                  f"{draw.scale.dtype}, block {draw.block_size}, grid {draw.qmin}..{draw.qmax}: {count} of {want.size} differ")
            different += count
        done += 1
        numbers += want.size
    names = ", ".join(work.__name__ for work in WORK)
    print(f"{done} draws (seed {seed}) of {names}: {numbers} codes and values, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
