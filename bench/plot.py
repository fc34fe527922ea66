#!/usr/bin/env python3
"""Draws benchmarks from their JSON: how near the machine's limits they come, and where the peers are (needs matplotlib).

The bulk quantizers:

    for b in quantize_affine quantize_dequantize_affine dequantize_affine quantize_dynamic lpbq_expand quantize_float \\
        dequantize_float quantize_dequantize_float quantize_dequantize_blocks min_max bulk_threads; do
      build/release/bench/${b}_bench --benchmark_format=json > $b.json
    done
    bench/peers/quantize_peers.py > peers.json           # optional: needs onnxruntime, torch or aimet-torch from PyPI
    bench/plot.py quantize *.json --output quantize.png

The first variant of each kernel in a file is drawn: the best one of that CPU. Rows "api" are calls of the public
functions on all threads. Programs print the limits that shares are of in the same rows: a stream of the same bytes and
libc's memcpy, measured in turns with each kernel.

Linear layers, as a roofline:

    bench/peers/linear_peers.py --rows 1,2,4,8,16,32,64,128,256,512 --output linear.json
    bench/plot.py linear linear.json --output linear.png

`lanequant bench linear --json` gives such a file without peers. A peer's point stands above the bytes of our layer with
weights of as many bits.

The drift of codes with depth, from bench/peers/drift_peers.py:

    bench/plot.py drift drift.json --output drift.png
"""
import argparse
import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

PANELS = (("memory", "share_stream", "64 Mi elements, DRAM:\nshare of a stream of the same bytes"),
          ("cache", "share_memcpy", "64 Ki elements, L2: floats per second\nas share of libc memcpy's"))

PEER_COLORS = ("tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")


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


def draw_quantizers(paths):
    ours, peers = read(paths)
    ours = best_variants(ours)
    if not ours:
        raise SystemExit("plot.py: no benchmark of a bulk kernel in " + ", ".join(paths))

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
    return figure


def intensity(row):
    return row["operations"] / row["bytes"]


def draw_roofline(axis, ours, peers):
    """One precision: `ours` and `peers` of the same shapes and rows."""
    read, peak = (max(row[limit] for row in ours) for limit in ("read_bandwidth", "peak"))
    ends = min(map(intensity, ours)) / 1.5, max(max(map(intensity, ours)), peak / read) * 1.5
    corners = [ends[0], peak / read, ends[1]]
    axis.plot(corners, [min(x * read, peak) * 1e-9 for x in corners], color="black", linewidth=0.8)
    axis.plot([intensity(row) for row in ours], [row["operations"] / row["best_seconds"] * 1e-9 for row in ours], "o-",
              color="tab:blue", label="lanequant")
    layer = {(f"{row['n']}x{row['k']}", row["m"]): row for row in ours}
    for name, color in zip(dict.fromkeys(row["peer"] for row in peers), PEER_COLORS):
        points = [(layer[row["shape"], row["m"]], row["peer_seconds"]) for row in peers if row["peer"] == name]
        axis.plot([intensity(row) for row, _ in points],
                  [row["operations"] / seconds * 1e-9 for row, seconds in points], ".--", linewidth=0.8, color=color,
                  label=name)
    axis.set(xscale="log", yscale="log", xlabel="operations per byte that our layer reads and writes")
    axis.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter=ScalarFormatter(),
                   minor_formatter=NullFormatter())
    axis.set_title(f"{ours[0]['precision']} ({ours[0]['variant']})", fontsize=9)
    axis.legend(fontsize=7)


def draw_layers(paths):
    ours, peers = [], []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        ours += content.get("linear", [])
        peers += content.get("peers", [])
    precisions = list(dict.fromkeys(row["precision"] for row in ours))
    if not precisions:
        raise SystemExit("plot.py: no layer in " + ", ".join(paths))
    figure, axes = plt.subplots(1, len(precisions), figsize=(6 * len(precisions), 4.5), squeeze=False, sharey=True)
    axes[0][0].set_ylabel("10^9 operations per second")
    for axis, precision in zip(axes[0], precisions):
        bits = 4 if "w4" in precision else 8
        draw_roofline(axis, [row for row in ours if row["precision"] == precision],
                      [row for row in peers if row["weight_bits"] == bits and precision.startswith("a8")])
    figure.suptitle("Linear layers below the read bandwidth and the peak that were probed beside them", fontsize=10)
    return figure


DRIFTS = (("int32_bias", "exact simulator with int32 bias,\nagainst float bias"),
          ("aimet_float32", "AIMET in float32, against float bias"),
          ("ort_plain", "ONNX Runtime, plain, against int32 bias"),
          ("ort_optimized", "ONNX Runtime, optimized, against int32 bias"),
          ("ours_float", "lanequant, against float bias"), ("ours_int32", "lanequant, against int32 bias"))


def draw_drift(paths):
    figure, axes = plt.subplots(1, len(paths), figsize=(7 * len(paths), 4.5), squeeze=False)
    for axis, path in zip(axes[0], paths):
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)["drift"]
        for key, label in DRIFTS:
            axis.plot([row["block"] for row in rows], [row[key] / row["codes"] for row in rows], "o-", label=label,
                      linewidth=2.5 if key == "ours_float" else 1)
        axis.set_yscale("symlog", linthresh=1 / rows[0]["codes"])
        axis.set(xlabel="residual blocks", ylabel="share of codes that differ from the exact simulator", ylim=(-1e-6, 1))
        axis.legend(fontsize=7)
    return figure


DRAW = {"quantize": draw_quantizers, "linear": draw_layers, "drift": draw_drift}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(DRAW))
    parser.add_argument("json", nargs="+")
    parser.add_argument("--output", help="default: WHAT.png")
    args = parser.parse_args()
    figure = DRAW[args.what](args.json)
    output = args.output or f"{args.what}.png"
    figure.tight_layout(rect=(0, 0, 1, 0.99))
    figure.savefig(output, dpi=100)
    print(output)


if __name__ == "__main__":
    main()
