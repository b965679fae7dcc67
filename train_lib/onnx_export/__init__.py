"""A function of arrays, as JAX traces it, as an ONNX graph that other programs run."""
