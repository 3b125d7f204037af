/* A process beside the runner that reads files of the kernel's again and again.
 *
 * It writes what runners/watch.py writes, and ends when the runner does, however that ends.
 * Programs are not started: a job that asks for one is refused.
 */
#ifndef EDGEBENCH_WATCH_H
#define EDGEBENCH_WATCH_H

#include "job.h"

/* Start watching what the job asks for, if it does; before the runtime is loaded, and its threads
 * with it. */
void watch_start(const Job *job);

/* Let everything be read once more and written down; whether it was, as JSON. */
const char *watch_end(void);

#endif
