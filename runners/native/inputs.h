/* What a model is fed: samples from a file, or made within each input's own range.
 *
 * The same rules, and where they are drawn the same numbers, as in runners/inputs.py.
 */
#ifndef EDGEBENCH_INPUTS_H
#define EDGEBENCH_INPUTS_H

#include "backend.h"
#include "job.h"
#include "npz.h"

/* Samples in the order of the model's inputs, the first axis being the sample. */
typedef struct {
    Tensor *values;
    size_t count; /* of samples */
} Samples;

/* Samples of a file, or generated where `archive` is NULL; says in the answer how they came. */
Samples samples_for(const Job *job, const Archive *archive, const Model *model);

/* One sample as the model stores it, one tensor an input; whether a batch axis was added. */
Tensor *sample_at(const Samples *samples, const Model *model, size_t index, bool *was_batched);

/* The job fails where a sample of this shape does not fit. */
void check_shape(const Spec *spec, const int64_t *shape, int rank);

/* Values from the `first` on in the input's own type; reals through its scale. */
void store_all(const Spec *spec, const Tensor *values, size_t first, Tensor *stored);

/* Copies of the first sample of each array, and nothing else of the file any more. */
Archive first_of(Archive archive);

#endif
