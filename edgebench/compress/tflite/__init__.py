"""Steps on a TFLite flatbuffer."""
