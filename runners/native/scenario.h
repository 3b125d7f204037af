/* What a model is asked in the timed passes, and when: the same rules as in runners/scenario.py. */
#ifndef EDGEBENCH_SCENARIO_H
#define EDGEBENCH_SCENARIO_H

#include "backend.h"
#include "job.h"

typedef struct {
    const Backend *backend;
    int64_t batch, inferences; /* samples of an invocation, and of a query */
    int64_t invokes;           /* of a query */
    double rate_hz;            /* how often one comes; 0 where the next follows at once */
} Question;

/* What an invocation is fed: all samples of a query where the first axis is free in every input
 * and output, and the same one in the inputs; else the one that is given. */
Tensor *batched(const Job *job, const Model *model, Tensor *fed, int64_t *batch);

Question question_of(const Job *job, const Backend *backend, int64_t batch);

/* Answer so many queries, one after the other. */
void ask(const Question *question, int64_t queries);

/* The job fails where the outputs of a batch are not one a sample. */
void check_batch(const Question *question, const Model *model);

typedef struct {
    int64_t enough, stop; /* on the clock */
    int64_t least;        /* queries before `enough` counts */
} Limits;

typedef struct {
    int64_t due, missed, wake_ns;
} Paced;

/* Answer a query at every release of an absolute clock; how many were answered. A latency counts
 * from the release, and what is released while one is late is dropped. */
size_t paced(const Question *question, int64_t *samples, size_t capacity, Limits limits,
             Paced *told);

#endif
