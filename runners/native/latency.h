/* When a model has settled, and the times of its queries after that. */
#ifndef EDGEBENCH_LATENCY_H
#define EDGEBENCH_LATENCY_H

#include "backend.h"
#include "job.h"
#include "scenario.h"

typedef struct {
    int64_t invokes;
    double seconds;
    bool is_steady;
    double typical_ns; /* of the fastest block */
} Warmth;

/* Run until the latency has settled or the cap is reached: ten blocks of a tenth of the shortest
 * warm-up, halves within 1 % of each other, and a Theil-Sen drift of at most 1 %. */
Warmth warm_up(const Question *question, const Loop *loop);

/* First query, warm-up and samples; the answer and `samples.npz` get what was found. */
void latency_measure(const Question *question, const Job *job, int64_t load_ns, Text cpus);

/* A chirp where one is asked for, idle, active and idle once more: the windows in which the host
 * finds the power. */
void energy_measure(const Question *question, const Job *job);

/* What lies between the memory checkpoints s3 and s4; a slow model stops at the limit. */
void invoke_steadily(const Backend *backend, double limit_s);

#endif
