#include "npy.h"

#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";

/* A head is a Python literal: a dictionary of three keys. */
typedef struct {
    const char *at, *end;
} Head;

static void skip_space(Head *head) {
    while (head->at < head->end && memchr(" \t\n", *head->at, 3)) head->at++;
}

static bool take(Head *head, const char *word) {
    size_t size = strlen(word);
    skip_space(head);
    if ((size_t)(head->end - head->at) < size || memcmp(head->at, word, size)) return false;
    head->at += size;
    return true;
}

/* What stands between single quotes; NULL where nothing does. */
static char *quoted(Head *head) {
    if (!take(head, "'")) return NULL;
    const char *close = memchr(head->at, '\'', (size_t)(head->end - head->at));
    if (!close) return NULL;
    size_t size = (size_t)(close - head->at);
    char *words = memcpy(allocated(size + 1, 1), head->at, size);
    head->at = close + 1;
    return words;
}

static bool take_size(Head *head, int64_t *size) {
    skip_space(head);
    const char *begin = head->at;
    *size = 0;
    while (head->at < head->end && *head->at >= '0' && *head->at <= '9') {
        if (*size > INT64_MAX / 10 - 1) return false;
        *size = *size * 10 + (*head->at++ - '0');
    }
    return head->at != begin;
}

static const char *read_shape(Head *head, Tensor *values) {
    if (!take(head, "(")) return "has no shape";
    values->rank = 0;
    while (!take(head, ")")) {
        if (values->rank == RANK_MAX) return "has too many axes";
        if (!take_size(head, &values->shape[values->rank++])) return "has a shape of no numbers";
        if (!take(head, ",")) return take(head, ")") ? NULL : "has a shape that does not end";
    }
    return NULL;
}

static const char *read_member(Head *head, const char *key, Array *array) {
    if (strcmp(key, "shape") == 0) return read_shape(head, &array->values);
    if (strcmp(key, "fortran_order") == 0)
        return take(head, "False") ? NULL : "lies in Fortran's order, or in none";
    if (strcmp(key, "descr") != 0) return "has a head with an unknown key";
    free(array->descr);
    array->descr = quoted(head);
    return array->descr ? NULL : "is not of a plain element type";
}

static const char *read_head(Head *head, Array *array) {
    unsigned seen = 0;
    if (!take(head, "{")) return "has no head";
    while (!take(head, "}")) {
        char *key = quoted(head);
        bool is_pair = key && take(head, ":");
        const char *wrong = is_pair ? read_member(head, key, array) : "has a broken head";
        /* Of the three keys the first letters differ. */
        if (!wrong) seen |= key[0] == 's' ? 1 : key[0] == 'f' ? 2 : 4;
        free(key);
        if (wrong) return wrong;
        if (!take(head, ",") && !take(head, "}")) return "has a broken head";
        if (head->at[-1] == '}') break;
    }
    return seen == 7 ? NULL : "has a head that lacks a key";
}

static Dtype dtype_of(const char *descr) {
    for (Dtype dtype = DTYPE_BOOL; dtype < DTYPES; dtype++) {
        const char *known = dtype_facts[dtype].descr;
        /* A byte has no order, whatever stands there. */
        bool is_byte = dtype_facts[dtype].bytes == 1;
        if (strcmp(descr, known) == 0 || (is_byte && *descr && strcmp(descr + 1, known + 1) == 0))
            return dtype;
    }
    return DTYPE_NONE;
}

const char *npy_read(const uint8_t *bytes, size_t size, Array *array) {
    size_t start = 10, length;
    if (size < 12 || memcmp(bytes, MAGIC, 6)) return "is no array";
    length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] >= 2) {
        start = 12;
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (bytes[6] < 1 || bytes[6] > 3) return "is of an unknown version";
    if (length > size - start) return "ends within its head";
    Head head = {(const char *)bytes + start, (const char *)bytes + start + length};
    const char *wrong = read_head(&head, array);
    if (wrong) return wrong;
    array->values.dtype = dtype_of(array->descr);
    /* What is no number is looked at only if it is to be fed. */
    if (array->values.dtype == DTYPE_NONE) return NULL;
    if (bytes_of(&array->values) != size - start - length) return "holds not what its head says";
    array->values.data = (void *)(bytes + start + length);
    return NULL;
}

Text npy_head(const Tensor *values) {
    Text head = {0}, words = {0};
    text_add(&words, "{'descr': '%s', 'fortran_order': False, 'shape': (",
             dtype_facts[values->dtype].descr);
    for (int axis = 0; axis < values->rank; axis++)
        text_add(&words, axis ? ", %lld" : "%lld", (long long)values->shape[axis]);
    text_add(&words, values->rank == 1 ? ",), }" : "), }");
    while ((words.size + 11) % 64) text_add(&words, " ");
    text_add(&words, "\n");
    text_bytes(&head, MAGIC, 6);
    const uint8_t rest[4] = {1, 0, (uint8_t)words.size, (uint8_t)(words.size >> 8)};
    text_bytes(&head, rest, 4);
    text_bytes(&head, words.bytes, words.size);
    free(words.bytes);
    return head;
}
