#!/usr/bin/env python3
"""Whole networks of lanequant beside ONNX Runtime and OpenVINO: the same QDQ file in one run, as a table and as JSON.

    bench/peers/model_peers.py MODEL.onnx... --batch 1,16 --threads 1,2 --output models.json

Needs numpy, onnxruntime and openvino from PyPI. The networks have QuantizeLinear and DequantizeLinear, as AIMET, ONNX
Runtime, Quark and bench/models/make_models.py write them, and 8-bit activations: each program makes integer layers of
them by itself. lanequant is timed before and after the peers; of each the best run counts. The ratio is a peer's time by
ours: above 1 we are ahead.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np

from timing import best_seconds


def lanequant_seconds(program, model, batch, threads):
    command = [program, "bench", str(model), "--json", "--batch", str(batch), "--threads", str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["best_seconds"]


def inputs_of(signature, batch):
    """signature: (name, shape) of each input; a symbol in front is the batch. None where the batch is another one."""
    random, feeds = np.random.default_rng(1), {}
    for name, shape in signature:
        dims = [d if isinstance(d, int) and d > 0 else batch for d in shape]
        if dims[0] != batch:
            return None
        feeds[name] = random.uniform(-1, 1, dims).astype(np.float32)
    return feeds


def onnxruntime_seconds(model, batch, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    feeds = inputs_of([(i.name, i.shape) for i in session.get_inputs()], batch)
    return feeds and best_seconds(lambda: session.run(None, feeds), 1.0, 5)


def openvino_seconds(model, batch, threads):
    import openvino

    core = openvino.Core()
    network = core.read_model(model)
    names = [(i.get_any_name(), [d.get_length() if d.is_static else 0 for d in i.partial_shape])
             for i in network.inputs]
    feeds = inputs_of(names, batch)
    if feeds is None:
        return None
    network.reshape({name: list(value.shape) for name, value in feeds.items()})
    compiled = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                                                   "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    tensors = {name: openvino.Tensor(value) for name, value in feeds.items()}
    return best_seconds(lambda: request.infer(tensors), 1.0, 5)


PEERS = {"onnxruntime": onnxruntime_seconds, "openvino": openvino_seconds}


def measure(program, model, batch, threads):
    row = {"model": f"{model.parent.parent.name}/{model.parent.name}" if model.stem == "model_qdq" else model.stem,
           "batch": batch, "threads": threads}
    try:
        row["lanequant"] = lanequant_seconds(program, model, batch, threads)
    except subprocess.CalledProcessError as error:  # a network of fixed batch
        print(f"{model}, batch {batch}: {error.stderr.strip()}", file=sys.stderr)
        return None
    for name, seconds in PEERS.items():
        try:
            row[name] = seconds(model, batch, threads)
        except Exception as error:  # whatever a peer throws about a network that it does not run
            print(f"{name}: {model}: {error}", file=sys.stderr)
            row[name] = None
    row["lanequant"] = min(row["lanequant"], lanequant_seconds(program, model, batch, threads))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--program", default="build/release/bin/lanequant")
    parser.add_argument("--batch", default="1,16")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--output", help="where to write the rows as JSON")
    options = parser.parse_args()
    rows = []
    print(f"{'network':24} {'batch':>5} {'threads':>7} {'lanequant ms':>12}" +
          "".join(f" {name + ' ms':>14} {'ratio':>6}" for name in PEERS))
    for model in options.models:
        for batch in map(int, options.batch.split(",")):
            for threads in map(int, options.threads.split(",")):
                row = measure(options.program, model, batch, threads)
                if row is None:
                    continue
                rows.append(row)
                line = f"{row['model']:24} {batch:5} {threads:7} {1e3 * row['lanequant']:12.3f}"
                for name in PEERS:
                    peer = row[name]
                    line += f" {1e3 * peer:14.3f} {peer / row['lanequant']:6.2f}" if peer else f" {'-':>14} {'-':>6}"
                print(line, flush=True)
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
