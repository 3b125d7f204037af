/* What a program of the device prints, for the watcher: runners/watch.py has the same limits. */
#ifndef EDGEBENCH_PROGRAM_H
#define EDGEBENCH_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Run a program to its end and keep both its outputs in `text`, `size` bytes with the zero at the
 * end; false with what went wrong in `text`. */
bool program_ask(char *const *argv, char *text, size_t size);

/* Whether a process that should be at its end ended well; it is killed after so long. */
bool ended_well(pid_t process, int timeout_ms);

#endif
