#!/usr/bin/env python3
"""One table for a folder of quantized networks: kernels against the exact simulator, the simulator against its tool.

    bench/validate_folder.py FOLDER [--lanequant PROGRAM]

Needs numpy and onnx from PyPI. Every folder below FOLDER with layers.npz is a line, from `lanequant validate` and
`lanequant run`. layers.npz holds the activations of AIMET's simulator, or the codes behind each QuantizeLinear that ONNX
Runtime computed; beside it, or in the folder above, are model.onnx, model.encodings (AIMET) and data.npz with `input`.

codes      of the encoded activations that layers.npz has, on the inputs that it has
kernels    of these, and of those only we have, twice: the codes in which kernels and exact simulator differ
isolated   in which the exact simulator differs from the tool where each layer gets the tool's own input
tie        the largest distance of those from a rounding tie, in codes
cumulative in which they differ as the network runs
correct    labels that kernels and the tool find; the tool's are the argmax of `output` of data.npz
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx

HEAD = ("bundle", "tensors", "codes", "kernels", "isolated", "tie", "cumulative", "correct")
WIDTHS = (40, 7, 8, 7, 8, 8, 10, 15)


def print_row(cells):
    print(" ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(cells, WIDTHS))))


def output(program, model, *options):
    """What the network gives, or nothing where it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "output.npz"
        subprocess.run([program, "run", *model, "--output", path, *options], capture_output=True)
        outputs = np.load(path) if path.exists() else None
        return outputs and outputs[outputs.files[0]]


def compare_outputs(program, model, data):
    """A sentence on networks whose layers have no codes: formats with shared exponents, dynamic quantization."""
    by, ours = "kernels", output(program, model)
    if ours is None:
        by, ours = "exact simulator", output(program, model, "--reference")
    tools = np.load(data).get("output")
    if ours is None or tools is None:
        return None
    far = np.abs(ours.reshape(tools.shape).astype(np.float64) - tools)
    share = far.max() / np.abs(tools).max()
    differing = f"{int((far > 0).sum())} of {far.size} outputs differ, by at most {share:.1e} of the largest"
    return f"no codes; {by}: {differing}"


def correct(program, model, data):
    """"ours / the tool's of all", or nothing where there is no label."""
    arrays = np.load(data)
    if "label" not in arrays or "output" not in arrays:
        return ""
    label, ours = arrays["label"], output(program, model)
    found = [int((a.reshape(len(label), -1).argmax(1) == label).sum()) for a in (ours, arrays["output"])]
    return f"{found[0]} / {found[1]} of {len(label)}"


def layers_by_tensor(folder, network, path):
    """The file itself, or for a network with QuantizeLinear nodes one by the names of the tensors that they quantize."""
    if (folder / "model.encodings").exists():
        return folder / "layers.npz"
    nodes = onnx.load(network, load_external_data=False).graph.node
    names = {n.output[0]: n.input[0] for n in nodes if n.op_type in ("QuantizeLinear", "ExtendedQuantizeLinear")}
    layers = np.load(folder / "layers.npz")
    np.savez(path, **{names.get(name, name): layers[name] for name in layers.files})
    return path


def validate(program, folder):
    with_input = [f for f in (folder, folder.parent) if (f / "data.npz").exists() and "input" in np.load(f / "data.npz")]
    if not with_input:
        return None, "no data.npz with an input"
    data = with_input[0] / "data.npz"
    network = folder / "model.onnx" if (folder / "model.onnx").exists() else folder.parent / "model.onnx"
    model = [network, "--input", f"{data}:input"]
    if (folder / "model.encodings").exists():
        model += ["--encodings", folder / "model.encodings"]
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "result.json"
        layers = layers_by_tensor(folder, network, pathlib.Path(scratch) / "layers.npz")
        run = subprocess.run([program, "validate", *model, "--layers", layers, "--json", path], capture_output=True,
                             text=True)
        if not path.exists():
            refusal = (run.stderr.strip() or "no result").splitlines()[-1]
            return None, compare_outputs(program, model, data) or refusal
        result = json.loads(path.read_text())
    layers = [layer for layer in result["layers"] if layer["aimet_isolated"]["compared"]]
    ties = [layer["tie_distance"] for layer in layers if layer["aimet_isolated"]["different"]]
    tie = f"{max(ties):.1e}" if ties else ""
    if result["unexplained"]:
        tie += f", {result['unexplained']} no tie"
    return (len(layers), result["aimet_isolated"]["compared"], result["kernel"]["different"] + result["outputs_different"],
            result["aimet_isolated"]["different"], tie, result["aimet_cumulative"]["different"],
            correct(program, model, data)), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--lanequant", default="build/release/bin/lanequant")
    arguments = parser.parse_args()
    print_row(HEAD)
    for path in sorted(arguments.folder.rglob("layers.npz")):
        row, refusal = validate(arguments.lanequant, path.parent)
        name = str(path.parent.relative_to(arguments.folder))
        if row is not None:
            print_row((name, *row))
        else:
            print(f"{name:<40} {refusal}")


if __name__ == "__main__":
    main()
