/* What a TFLite file says of its inputs and outputs, and which of its signatures is run. */
#ifndef EDGEBENCH_LITERT_MODEL_H
#define EDGEBENCH_LITERT_MODEL_H

#include "backend.h"
#include "litert.h"

enum { INPUTS, OUTPUTS, SIDES };

/* Inputs or outputs, in the order of the graph; `places` are those in the signature, by which the
 * library counts. */
typedef struct {
    size_t count;
    void **tensors;
    LitertType *types;
    size_t *places;
    void **buffers; /* by place */
    Spec *specs;
} LitertSide;

/* Describe a model; which signature it is run by. */
size_t litert_describe(void *litert_model, Model *model, LitertSide sides[SIDES]);

Dtype litert_dtype(int element_type);

#endif
