#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

void *allocated(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) fail("runtime_error", "There is no memory for %zu times %zu bytes.", count, size);
    return memory;
}

void *grown(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    void *memory = bytes == SIZE_MAX ? NULL : realloc(old, bytes ? bytes : 1);
    if (!memory) fail("runtime_error", "There is no memory for %zu times %zu bytes.", count, size);
    return memory;
}

char *copied(const char *words) {
    size_t size = strlen(words) + 1;
    return memcpy(allocated(size, 1), words, size);
}

void text_bytes(Text *text, const void *bytes, size_t size) {
    if (text->capacity - text->size <= size) {
        text->capacity = 2 * text->capacity + size + 64;
        text->bytes = grown(text->bytes, text->capacity, 1);
    }
    if (size) memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = 0;
}

void text_add(Text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size >= 0) {
        char *words = allocated((size_t)size + 1, 1);
        vsnprintf(words, (size_t)size + 1, format, again);
        text_bytes(text, words, (size_t)size);
        free(words);
    }
    va_end(again);
}

size_t utf8_length(const char *bytes, size_t size) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (size == 0) return 0;
    if (at[0] < 0x80) return 1;
    size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length > size) return 0;
    for (size_t index = 1; index < length; index++)
        if ((at[index] & 0xC0) != 0x80) return 0;
    /* What could be said in fewer bytes, halves of surrogates, and what lies beyond 0x10FFFF. */
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F)) return 0;
    if ((at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)) return 0;
    return length;
}

void text_quoted(Text *text, const char *words) {
    size_t left = strlen(words);
    text_add(text, "\"");
    while (left) {
        size_t length = utf8_length(words, left);
        unsigned char byte = (unsigned char)*words;
        if (length == 0)
            text_add(text, "?");
        else if (byte == '"' || byte == '\\')
            text_add(text, "\\%c", byte);
        else if (byte < 0x20)
            text_add(text, "\\u%04x", byte);
        else
            text_bytes(text, words, length);
        words += length ? length : 1;
        left -= length ? length : 1;
    }
    text_add(text, "\"");
}

void text_real(Text *text, double value) {
    if (isfinite(value))
        text_add(text, "%.17g", value);
    else
        text_add(text, "null");
}
