/* The result document: what is known of it so far, and its end. */
#ifndef EDGEBENCH_ANSWER_H
#define EDGEBENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* Where the document is written, from now on. */
void answer_to(const char *path);
void answer_runtime(const char *name);

/* A member of the document; `value` is JSON, and is taken over. */
void answer_set(const char *name, Text value);

/* Write the document of a job that was done. */
void answer_done(void);

/* Write the document of a job that cannot be done, and end: `reason` is of the closed list. */
_Noreturn void fail(const char *reason, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* End for what the last system call said, with `no_space` where that was it. */
_Noreturn void fail_of_system(const char *what, const char *path);

/* Write a file that is either whole or not there; false with errno set. */
bool write_whole(const char *path, const void *bytes, size_t size);

#endif
