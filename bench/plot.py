#!/usr/bin/env python3
"""Draws the bulk quantizers' benchmarks from their JSON: how near the machine's limits they come, and where the peers are.

    for b in quantize_affine quantize_dequantize_affine dequantize_affine quantize_dynamic lpbq_expand quantize_float \\
        dequantize_float quantize_dequantize_float quantize_dequantize_blocks min_max bulk_threads; do
      build/release/bench/${b}_bench --benchmark_format=json > $b.json
    done
    bench/peers/quantize_peers.py > peers.json           # optional: needs onnxruntime, torch or aimet-torch from PyPI
    bench/plot.py *.json --output quantize.png           # needs matplotlib

The first variant of each kernel in a file is drawn: the best one of that CPU. Rows "api" are calls of the public
functions on all threads. Programs print the limits that shares are of in the same rows: a stream of the same bytes and
libc's memcpy, measured in turns with each kernel.
"""
import argparse
import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = (("memory", "share_stream", "64 Mi elements, DRAM:\nshare of a stream of the same bytes"),
          ("cache", "share_memcpy", "64 Ki elements, L2: floats per second\nas share of libc memcpy's"))


def read(paths):
    """Rows (kernel, variant, case, size, counters) of all files, in their order; peers apart."""
    ours, peers = [], []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for row in json.load(file)["benchmarks"]:
                parts = row["name"].split("/iterations")[0].split("/")
                if parts[0] == "peer":
                    peers.append(("/".join(parts[1:-1]), row["Gelem/s"]))
                else:
                    ours.append((parts[0], parts[1], "/".join(parts[2:-1]), parts[-1], row))
    return ours, peers


def best_variants(rows):
    first = {}
    for kernel, variant, *_ in rows:
        first.setdefault(kernel, variant)
    return [row for row in rows if row[1] == first[row[0]]]


def draw_bars(axis, labels, values, title, color):
    axis.barh(range(len(labels)), values, color=color)
    axis.set_yticks(range(len(labels)), labels, fontsize=7)
    axis.invert_yaxis()
    axis.margins(y=0.005)
    axis.set_title(title, fontsize=9)
    for i, value in enumerate(values):
        axis.text(value, i, f" {value:.2f}", va="center", fontsize=6)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", nargs="+")
    parser.add_argument("--output", default="quantize.png")
    args = parser.parse_args()
    ours, peers = read(args.json)
    ours = best_variants(ours)
    if not ours:
        raise SystemExit("plot.py: no benchmark of a bulk kernel in " + ", ".join(args.json))

    figure, axes = plt.subplots(1, 4, figsize=(20, 0.19 * max(len(ours) / 2, 12) + 2))
    for axis, (size, counter, title) in zip(axes, PANELS):
        rows = [row for row in ours if row[3] == size and counter in row[4]]
        draw_bars(axis, [f"{row[0]} {row[2]}" for row in rows], [row[4][counter] for row in rows], title, "tab:blue")
        axis.axvline(1, color="black", linewidth=0.8)
    speeds = [(f"{row[0]} {row[2]}", row[4]["Gelem/s"]) for row in ours if row[3] == "memory"] + peers
    draw_bars(axes[2], [name for name, _ in speeds], [speed for _, speed in speeds],
              "64 Mi elements, DRAM: 10^9 elements\nper second; orange: peers", ["tab:blue"] * (len(speeds) - len(peers)) +
              ["tab:orange"] * len(peers))
    threads = [row for row in ours if "speedup" in row[4]]
    draw_bars(axes[3], [f"{row[2]} {row[3]}" for row in threads], [row[4]["speedup"] for row in threads],
              "Public functions on all threads:\ntimes one thread's speed (|: stream)", "tab:blue")
    axes[3].set_ylim(axes[2].get_ylim())
    axes[3].plot([row[4]["stream_speedup"] for row in threads], range(len(threads)), "|", color="black", markersize=10)
    variants = ", ".join(sorted({row[1] for row in ours}))
    figure.suptitle(f"lanequant bulk quantizers ({variants})", fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 0.99))
    figure.savefig(args.output, dpi=150)
    print(args.output)


if __name__ == "__main__":
    main()
