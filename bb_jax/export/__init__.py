"""Networks as files for other programs: ONNX graphs, and programs serialized by JAX."""
