/* Archives of arrays: .npz without compression, as numpy's `savez` writes them.
 *
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html and PKWARE's APPNOTE.TXT.
 * Files of 4 GiB and more, compressed ones, other byte orders and Fortran's order are refused.
 */
#ifndef EDGEBENCH_NPZ_H
#define EDGEBENCH_NPZ_H

#include <stddef.h>
#include <stdint.h>

#include "tensor.h"

typedef struct {
    char *name;
    char *descr; /* the element type in the file's words */
    Tensor values; /* dtype DTYPE_NONE where it is no type of numbers; data lies in the archive */
} Array;

typedef struct {
    Array *arrays;
    size_t count;
    void *mapped;
    size_t mapped_bytes;
} Archive;

/* The arrays of a file, which stays mapped; the job fails where it is not whole. */
Archive npz_read(const char *path);
void npz_close(Archive *archive);

/* Write arrays; the job fails where that fails. */
void npz_write(const char *path, const Array *arrays, size_t count);

/* CRC-32 of ISO 3309, as zip has it, of bytes that follow those of `before`. */
uint32_t crc32_of(const void *bytes, size_t size, uint32_t before);

#endif
