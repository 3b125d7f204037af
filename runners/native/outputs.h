/* What a model computes for each sample, as reals, stacked over the samples. */
#ifndef EDGEBENCH_OUTPUTS_H
#define EDGEBENCH_OUTPUTS_H

#include "inputs.h"

/* Run all samples and write the outputs, shape `(samples, ...)`, without an added batch axis. */
void outputs_write(const char *path, const Backend *backend, const Model *model,
                   const Samples *samples);

#endif
