/* This process's memory, as the kernel counts it: /proc/self/smaps_rollup and VmHWM. */
#ifndef EDGEBENCH_MEMORY_H
#define EDGEBENCH_MEMORY_H

#include <stdbool.h>

typedef struct {
    long long rss, pss, anonymous, private_, swap, peak; /* bytes; peak -1 where it is unknown */
} Checkpoint;

/* Memory now; no peak unless the high-water mark was reset before. False where the kernel tells
 * nothing. */
bool checkpoint(Checkpoint *point, bool was_reset);

/* Set the high-water mark to the present size; false where the kernel does not let us. */
bool reset_peak(void);

#endif
