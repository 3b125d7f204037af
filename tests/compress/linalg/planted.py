"""Kernels and matrices whose rank is known, with noise of a known part of their norm."""

import numpy as np


def noisy(kernel, noise, rng):
    kernel = kernel / np.linalg.norm(kernel)
    drawn = rng.standard_normal(kernel.shape)
    return (kernel + noise * drawn / np.linalg.norm(drawn)).astype(np.float32)


def matrix(shape, rank, *, noise, seed):
    rng = np.random.default_rng(seed)
    product = rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1]))
    return noisy(product, noise, rng)


def cp_kernel(shape, rank, *, noise, seed):
    """A sum of as many terms, each any area times a column of inputs times one of outputs."""
    rng = np.random.default_rng(seed)
    height, width, inputs, outputs = shape
    area = rng.standard_normal((height, width, rank))
    sides = (rng.standard_normal((side, rank)) for side in (inputs, outputs))
    return noisy(np.einsum("hwr,ir,or->hwio", area, *sides, optimize=True), noise, rng)


def separable_kernel(shape, rank, *, noise, seed):
    """The same where each area is a column times a row: four columns to a term."""
    rng = np.random.default_rng(seed)
    sides = [rng.standard_normal((side, rank)) for side in shape]
    return noisy(np.einsum("hr,wr,ir,or->hwio", *sides, optimize=True), noise, rng)


def tucker_kernel(shape, ranks, *, noise, seed):
    rng = np.random.default_rng(seed)
    height, width, inputs, outputs = shape
    core = rng.standard_normal((height, width, *ranks))
    first, last = rng.standard_normal((inputs, ranks[0])), rng.standard_normal((outputs, ranks[1]))
    return noisy(np.einsum("hwrs,ir,os->hwio", core, first, last, optimize=True), noise, rng)
