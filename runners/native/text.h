/* Text that grows, and JSON as it is written. */
#ifndef EDGEBENCH_TEXT_H
#define EDGEBENCH_TEXT_H

#include <stddef.h>

typedef struct {
    char *bytes; /* ends with a zero once anything was added */
    size_t size, capacity;
} Text;

/* Memory, all zeros; the job fails where there is none. */
void *allocated(size_t count, size_t size);
void *grown(void *old, size_t count, size_t size);
char *copied(const char *words);

void text_bytes(Text *text, const void *bytes, size_t size);
void text_add(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string; bytes that are no UTF-8 become question marks. */
void text_quoted(Text *text, const char *words);
/* A JSON number that reads back as the same double; null where it is not finite. */
void text_real(Text *text, double value);

/* Bytes of the UTF-8 sequence at `bytes`; 0 where it is none (RFC 3629). */
size_t utf8_length(const char *bytes, size_t size);

#endif
