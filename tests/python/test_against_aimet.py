"""Random tensors and settings through lanequant and through the aimet_torch that is installed: no code may differ.

Where aimet_torch cannot be imported, one line says why, and the exit status is 77 (skipped). LQ_SEED replaces the seed,
LQ_SOAK multiplies the draws.
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

DRAWS = 200 * int(os.environ.get("LQ_SOAK", "1"))
TYPES = (torch.float32, torch.float32, torch.float16, torch.bfloat16)


def bits(array):
    """The bits of a tensor or array; -0 and 0 are one value, all NaNs another."""
    if isinstance(array, torch.Tensor):
        array = array.detach().to(torch.float32).numpy()
    array = np.asarray(array, np.float32) + np.float32(0)
    return np.where(np.isnan(array), np.float32(np.nan), array).view(np.uint32)


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
        bitwidth = int(random.integers(2, 17))
        self.qmin = int(random.choice([0, -(2 ** (bitwidth - 1))]))
        self.qmax = self.qmin + 2**bitwidth - 1
        self.symmetric = bool(self.qmin) and bool(random.integers(2))
        self.scale = torch.tensor(np.exp2(random.uniform(-12, 2, scale_shape)).astype(np.float32))
        low, high = (0, 1) if self.symmetric else (-self.qmax, -self.qmin + 1)
        self.offset = torch.tensor(random.integers(low, high, scale_shape).astype(np.float32))
        self.type = TYPES[random.integers(len(TYPES))]
        self.x = self.values(shape).to(self.type)

    def values(self, shape):
        """Mostly on the grid, some beyond; ties and infinities."""
        units = self.random.uniform(self.qmin - 3, self.qmax + 3, shape)
        units = np.where(self.random.random(shape) < 0.3, np.rint(units * 2) / 2, units)
        scale, offset = self.scale, self.offset
        if self.block_size is not None:
            for axis, dim in enumerate(shape):
                repeat = dim // scale.shape[axis]
                scale, offset = scale.repeat_interleave(repeat, axis), offset.repeat_interleave(repeat, axis)
        x = torch.tensor(units) + offset
        x = (x * scale).to(torch.float32)
        x[torch.tensor(self.random.random(shape) < 0.01)] = float(self.random.choice([np.inf, -np.inf, -0.0]))
        return x

    def arguments(self):
        return dict(scale=self.scale, offset=self.offset, block_size=self.block_size)

    def aimet(self, function, tensor, grad=True):
        """Scales that want a gradient make AIMET divide."""
        scale = self.scale.clone().requires_grad_(grad)
        return function(tensor, scale, self.offset, qmin=self.qmin, qmax=self.qmax, block_size=self.block_size)


def quantize(draw):
    if not fits(draw.qmin, draw.qmax, draw.type):
        return None
    want = draw.aimet(Q.affine.quantize, draw.x)
    got = lanequant.quantize(draw.x, **draw.arguments(), qmin=draw.qmin, qmax=draw.qmax)
    return want, got


def fits(qmin, qmax, dtype):
    """AIMET refuses codes that the tensor's type cannot hold."""
    return all(float(torch.tensor(q).to(dtype)) == q for q in (qmin, qmin + 1, qmax - 1, qmax))


def quantize_dequantize(draw, profile):
    got = torch.empty_like(draw.x)
    lanequant.quantize_dequantize(
        draw.x, **draw.arguments(), qmin=draw.qmin, qmax=draw.qmax, profile=profile, out=got
    )
    return got


def by_division(draw):
    return draw.aimet(Q.affine.quantize_dequantize, draw.x), quantize_dequantize(draw, "aimet_div")


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
    want = Q.affine.dequantize(
        torch.tensor(codes).to(draw.type), draw.scale, draw.offset, block_size=draw.block_size
    )
    got = torch.empty_like(draw.x)
    lanequant.dequantize(codes.astype(np.int32), **draw.arguments(), dtype=str(draw.type)[6:], out=got)
    return want, got


def min_max(draw):
    x = draw.x.to(torch.float32).nan_to_num(1, 2, -3)
    quantizer = Q.affine.QuantizeDequantize(
        draw.scale.shape, draw.qmin, draw.qmax, draw.symmetric, block_size=draw.block_size
    )
    with quantizer.compute_encodings():
        quantizer(x)
    got = lanequant.calibrate(
        x,
        qmin=draw.qmin,
        qmax=draw.qmax,
        symmetric=draw.symmetric,
        scale_shape=tuple(draw.scale.shape),
        block_size=draw.block_size,
    )
    want = (quantizer.get_scale(), quantizer.get_offset())
    return torch.cat([t.detach().reshape(-1) for t in want]), np.concatenate([got.scale.ravel(), got.offset.ravel()])


def lpbq(draw):
    random = draw.random
    channels, blocks, block = (int(n) for n in random.integers(1, 9, 3))
    weight = torch.tensor(random.standard_normal((channels, blocks * block)).astype(np.float32))
    bitwidth = int(random.choice([2, 4, 8]))
    quantizer = Q.affine.GroupedBlockQuantizeDequantize(
        (channels, blocks), bitwidth, True, 2 * bitwidth, block_size=(1, block), block_grouping=(1, -1)
    )
    with quantizer.compute_encodings():
        quantizer(weight)
    want = quantizer(weight)
    layout = dict(block_size=(1, block), bitwidth=bitwidth, decompressed_bitwidth=2 * bitwidth)
    got = lanequant.lpbq_compress(weight, **layout)
    real = lanequant.lpbq_expand(*got[:3], **layout, shape=weight.shape)
    scales = torch.cat([quantizer.get_scale().detach().reshape(-1), want.detach().reshape(-1)])
    return scales, np.concatenate([got.scale.ravel(), real.ravel()])


WORK = (quantize, by_division, by_fake_quantize, dequantize, min_max, lpbq)


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
            print(f"draw {done}, {work.__name__}: {draw.type}, {tuple(draw.x.shape)}, scale {tuple(draw.scale.shape)}, "
                  f"block {draw.block_size}, grid {draw.qmin}..{draw.qmax}: {count} of {want.size} differ")
            different += count
        done += 1
        numbers += want.size
    print(f"{done} draws (seed {seed}), {numbers} codes and values, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
