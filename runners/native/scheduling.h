/* How the kernel treated this process: where it may run, how long it ran and had to wait. */
#ifndef EDGEBENCH_SCHEDULING_H
#define EDGEBENCH_SCHEDULING_H

#include "job.h"
#include "text.h"

typedef struct {
    long long run_ns, wait_ns; /* -1 where the kernel does not count them */
    long involuntary, voluntary, major_faults;
} Counters;

int64_t now_ns(void);

/* Sleep until this time of the clock; not at all where it has passed. */
void sleep_until(int64_t time_ns);

/* Stay on the job's cores, or fail; the cores that it became, as JSON. */
Text keep_to(const Job *job);

/* Counters since the process began, of all its threads. */
Counters counters(void);

/* What was counted in between, as JSON. */
Text counted(Counters before, Counters after);

/* A fixed piece of work that no model has a part in: the fastest of a few rounds. Taken before and
 * after the samples: if it takes longer after, the clock fell or somebody else was at work. */
int64_t canary_ns(void);

#endif
