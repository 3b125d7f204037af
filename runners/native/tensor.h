/* Tensors of numbers, and what a model says of its inputs and outputs. */
#ifndef EDGEBENCH_TENSOR_H
#define EDGEBENCH_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Axes of a tensor with that of the samples before them; no model of the field has more. */
enum { RANK_MAX = 16 };

typedef enum {
    DTYPE_NONE, /* no tensor of numbers */
    DTYPE_BOOL,
    DTYPE_INT8,
    DTYPE_INT16,
    DTYPE_INT32,
    DTYPE_INT64,
    DTYPE_UINT8,
    DTYPE_UINT16,
    DTYPE_UINT32,
    DTYPE_UINT64,
    DTYPE_FLOAT16,
    DTYPE_FLOAT32,
    DTYPE_FLOAT64,
    DTYPES
} Dtype;

typedef struct {
    const char *name;  /* numpy's name */
    const char *descr; /* as in the head of a .npy */
    char kind;         /* b, i, u, f */
    size_t bytes;
} DtypeFacts;

extern const DtypeFacts dtype_facts[DTYPES];

typedef struct {
    char *name;
    int rank;
    int64_t axes[RANK_MAX];  /* -1 where an axis is free */
    char *symbols[RANK_MAX]; /* the name of a free axis; NULL where it has none */
    Dtype dtype;
    const char *word; /* numpy's name, or the runtime's own where numpy has none */
    bool is_quantized;
    double scale;
    int64_t zero_point;
} Spec;

typedef struct {
    Dtype dtype;
    int rank;
    int64_t shape[RANK_MAX];
    void *data;
} Tensor;

/* Elements of a shape; the job fails where nobody could hold so many. */
size_t elements_of(const int64_t *shape, int rank);
size_t bytes_of(const Tensor *tensor);

/* A number as some type holds it, exactly. */
typedef struct {
    char kind; /* i, u, f */
    int64_t whole;
    uint64_t natural;
    double real;
} Number;

Number number_at(Dtype dtype, const void *data, size_t index);

/* Store a number; false where an integer type does not hold it. Reals are rounded to theirs. */
bool number_to(Dtype dtype, void *data, size_t index, Number number);

/* Smallest and largest value of an integer type of at most 32 bits, as reals. */
void bounds_of(Dtype dtype, double *low, double *high);

#endif
