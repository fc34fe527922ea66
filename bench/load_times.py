#!/usr/bin/env python3
"""How long models take to load, beside the time to read their files, and the memory that it takes.

    bench/load_times.py FOLDER... [--lanequant PROGRAM] [--threads 1]

Each FOLDER holds model.onnx, model.encodings and what else belongs to them, as bench/models/make_lpbq_model.py writes it.
'read' is the time to read all files into memory that is new, from the system's cache, as the others are.
'over' is the most memory until the session was prepared, less the files and the packed weights (which a program keeps).
"""
import argparse
import json
import pathlib
import subprocess
import time


def read(files):
    start = time.perf_counter()
    for path in files:
        path.read_bytes()
    return time.perf_counter() - start


def measure(folder, program, threads):
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    read(files)  # into the cache
    seconds = min(read(files) for _ in range(3))
    command = [program, "bench", folder / "model.onnx", "--encodings", folder / "model.encodings", "--threads",
               str(threads), "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    size = sum(path.stat().st_size for path in files)
    over = result["peak_bytes_prepared"] - size - result["packed_bytes"]
    print(f"{folder.name:16} {size / 1e6:9.1f} {seconds:7.2f} {result['load_seconds']:7.2f} "
          f"{result['prepare_seconds']:7.2f} {result['packed_bytes'] / 1e6:9.1f} "
          f"{result['peak_bytes_prepared'] / 1e6:9.1f} {over / 1e6:7.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=pathlib.Path, nargs="+")
    parser.add_argument("--lanequant", default="build/release/bin/lanequant")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print("model             files MB  read s  load s  prep. s packed MB   most MB over MB")
    for folder in arguments.folders:
        measure(folder, arguments.lanequant, arguments.threads)


if __name__ == "__main__":
    main()
