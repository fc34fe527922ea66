"""Linear layers that AMD Quark's torch flow exported as safetensors."""

from typing import NamedTuple

import numpy as np

from . import _lanequant
from ._arrays import whole
from ._model import Encoding, path_of


class QuarkLayer(NamedTuple):
    """What the files say of a layer. Formats are in Quark's words, "int4, per group of 32"; "" of activations: floats."""

    name: str
    in_features: int
    out_features: int
    weight: str
    input: str
    output: str


class QuarkLinear(NamedTuple):
    """The numbers of a layer, in arrays that cannot be written.

    weight: float32 (out_features, in_features), what Quark's simulation multiplies with.
    bias: float32 (out_features,), or None.
    scale, offset, bitwidth, signed: of the weight, as quantize takes them: (), (out_features, 1) or (out_features,
        groups). scale and offset are None for formats that lie on no grid of up to 8 bits.
    input, output: the Encoding of int8 and uint8 activations, or None.
    """

    weight: np.ndarray
    bias: np.ndarray | None
    scale: np.ndarray | None
    offset: np.ndarray | None
    bitwidth: int
    signed: bool
    input: Encoding | None
    output: Encoding | None


class QuarkModel:
    """The Linear layers of a folder that Quark's export_safetensors wrote: config.json and *.safetensors.

    ValueError: a folder or file that does not exist or does not fit, formats that are not supported; the sentence names
    file, tensor and numbers.

    >>> model = lanequant.QuarkModel("../../quark_torch/int4_group32")
    >>> model.layers[0]
    QuarkLayer(name='fc1', in_features=64, out_features=32, weight='int4, per group of 32', input='', output='')
    >>> layer = model.load(0)
    >>> layer.weight.shape, layer.scale.shape, layer.bitwidth, layer.signed
    ((32, 64), (32, 2), 4, True)
    >>> codes = lanequant.quantize(layer.weight, layer.scale, layer.offset, qmin=-8, qmax=7, block_size=(1, 32))
    """

    def __init__(self, folder):
        self._model = _lanequant.QuarkModel(path_of("folder", folder))
        self._layers = tuple(QuarkLayer(*self._model.layer(i)) for i in range(self._model.count()))

    @property
    def layers(self):
        """A QuarkLayer for each layer, in the order of the files."""
        return self._layers

    def load(self, index):
        """Reads and unpacks one layer: a model may be larger than the memory.

        index: of `layers`.

        Returns QuarkLinear.

        ValueError: an index beyond the layers, a file that was changed, scales that no encoding can hold.
        """
        index = whole("index", index)
        if not 0 <= index < len(self._layers):
            raise ValueError(f"layer {index}, but the model has {len(self._layers)}")
        *numbers, input, output = self._model.load(index)
        return QuarkLinear(*numbers, *(None if side is None else Encoding(*side) for side in (input, output)))
