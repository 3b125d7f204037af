/* JSON as it is read: RFC 8259, strictly, into a tree. */
#ifndef EDGEBENCH_JSON_H
#define EDGEBENCH_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} JsonKind;

typedef struct Json Json;
struct Json {
    JsonKind kind;
    double number;
    char *text; /* of a string, UTF-8 without a zero in it; of a number, as it was written */
    size_t count;
    Json **items; /* of an array or an object, in their order */
    char **names; /* of an object's members */
};

/* The tree of a whole document; NULL with what is wrong in `words` and where in `at`. */
Json *json_read(const char *bytes, size_t size, const char **words, size_t *at);

/* The last member of this name, as Python takes it; NULL where there is none or it is null. */
const Json *json_member(const Json *object, const char *name);

/* Whether a number is an integer of 64 bits, however it was written; sets `value`. */
bool json_integer(const Json *json, int64_t *value);

#endif
