"""Steps on an ONNX graph."""
