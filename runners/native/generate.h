/* Samples that are made: within each input's own range, or the one that the job declares. */
#ifndef EDGEBENCH_GENERATE_H
#define EDGEBENCH_GENERATE_H

#include "inputs.h"

/* At most as many samples as the job asks for, kept in a file where it says so. */
Samples generated(const Job *job, const Model *model);

#endif
