"""Drawing a TensorRT network, as in NVIDIA's torch2trt.

Works on `ctx.network` inside a converter and on the network of an installed tensorrt package. For converted models,
`print(model_trt.network)` and `model_trt.network.save_onnx(path)` show more.

This file must not know how networks are made.
"""

from __future__ import annotations

from typing import Any

from .errors import error


def trt_network_to_dot_graph(network: Any) -> Any:
    """The layers of a network and the tensors between them, as a `graphviz.Digraph`.

    Raises:
        torch2trt.Error: E0701 where the graphviz package is not installed.
    """
    try:
        import graphviz
    except ImportError:
        raise error(
            "E0701", "the graphviz package, which draws the network, is not installed", "pip install graphviz"
        ) from None
    dot = graphviz.Digraph(comment="Network")
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    made = {}
    for layer in layers:
        dot.node(layer.name)
        made.update({layer.get_output(index).name: layer.name for index in range(layer.num_outputs)})
    for layer in layers:
        for index in range(layer.num_inputs):
            tensor = layer.get_input(index)
            if tensor is not None:
                dot.edge(made.get(tensor.name, tensor.name), layer.name, label=str(tensor.shape))
    for index in range(getattr(network, "num_outputs", 0)):
        tensor = network.get_output(index)
        dot.edge(made.get(tensor.name, tensor.name), tensor.name, label=str(tensor.shape))
    return dot


__all__ = ["trt_network_to_dot_graph"]
