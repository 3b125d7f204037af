/* All cores at work for a while, then none, a few times over: a mark that a power meter can see. */
#ifndef EDGEBENCH_CHIRP_H
#define EDGEBENCH_CHIRP_H

#include <stdint.h>

#include "text.h"

/* Let every core do it, and wait for the end: from when to when they were at work, as JSON; an
 * empty list where none is asked for, or one came too late. */
Text chirped(int64_t count, double pulse_s);

#endif
