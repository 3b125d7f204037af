"""The mathematics of compression: arrays in, arrays out, whatever file they came from.

Kernels are in one layout: dense `(in, out)`, convolution `(height, width, in, out)`.
"""
