/* The head of an array in a .npy. */
#ifndef EDGEBENCH_NPY_H
#define EDGEBENCH_NPY_H

#include "npz.h"
#include "text.h"

/* Read the head of an array and find its data; what is wrong with it in words, or NULL. */
const char *npy_read(const uint8_t *bytes, size_t size, Array *array);

/* The head of an array, padded as numpy pads it. */
Text npy_head(const Tensor *values);

#endif
