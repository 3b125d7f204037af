/* The job document, `edgebench.job/1`: edgebench/runner.py says what is in it. */
#ifndef EDGEBENCH_JOB_H
#define EDGEBENCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

typedef struct {
    int64_t warmup_min_invokes, sample_min_invokes;
    double warmup_min_s, warmup_max_s, sample_min_s, sample_max_s;
    int64_t group; /* queries timed together; 0 for as many as it takes */
} Loop;

typedef struct {
    const char *kind; /* single, offline, multi, periodic */
    int64_t samples;  /* of a query */
    double rate_hz;   /* of periodic; else 0 */
} Scenario;

typedef struct {
    const char *kind, *runtime, *accelerator;
    /* Paths, from the folder of the document; NULL where the job names none. */
    char *model, *inputs, *save_inputs, *samples, *outputs, *watch_output;
    int threads;
    int64_t generate, seed;
    const Json *shapes, *ranges; /* objects */
    Scenario scenario;
    Loop loop;
    const Json *cpus; /* an array, or NULL */
    const Json *watch; /* an object, or NULL */
    double idle_s, active_s, pulse_s;
    int64_t chirps;
} Job;

/* Read a job and answer from now on where it says; the job fails where it is none. */
Job job_read(const char *path);

/* An integer or a number of an array; the job fails where there is none. */
int64_t whole_at(const Json *list, size_t index, const char *what);
double real_at(const Json *list, size_t index, const char *what);

#endif
