#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* A job is four levels deep. */
enum { DEPTH_MAX = 32 };

typedef struct {
    const char *at, *end;
    const char *words;
    int depth;
} Reader;

static Json *read_value(Reader *reader);

static Json *wrong(Reader *reader, const char *words) {
    if (!reader->words) reader->words = words;
    return NULL;
}

static void skip_space(Reader *reader) {
    while (reader->at < reader->end && memchr(" \t\n\r", *reader->at, 4)) reader->at++;
}

static bool take(Reader *reader, char byte) {
    if (reader->at == reader->end || *reader->at != byte) return false;
    reader->at++;
    return true;
}

static bool take_word(Reader *reader, const char *word) {
    size_t size = strlen(word);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size)) return false;
    reader->at += size;
    return true;
}

static Json *made(JsonKind kind) {
    Json *json = allocated(1, sizeof *json);
    json->kind = kind;
    return json;
}

static bool take_hex(Reader *reader, unsigned *code) {
    *code = 0;
    for (int digit = 0; digit < 4; digit++) {
        if (reader->at == reader->end) return false;
        const char *digits = "0123456789abcdef";
        char byte = *reader->at++;
        if (byte >= 'A' && byte <= 'F') byte = (char)(byte - 'A' + 'a');
        const char *found = byte ? strchr(digits, byte) : NULL;
        if (!found) return false;
        *code = *code * 16 + (unsigned)(found - digits);
    }
    return true;
}

static void add_code(Text *text, unsigned code) {
    char bytes[4];
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t at = size; at-- > 1; code >>= 6) bytes[at] = (char)(0x80 | (code & 0x3F));
    bytes[0] = (char)(first[size] | code);
    text_bytes(text, bytes, size);
}

/* What follows a backslash and a u; false where it is no character, or a zero. */
static bool read_code(Reader *reader, Text *text) {
    unsigned code, low;
    if (!take_hex(reader, &code) || code == 0 || (code >= 0xDC00 && code < 0xE000)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (!take_word(reader, "\\u") || !take_hex(reader, &low)) return false;
        if (low < 0xDC00 || low > 0xDFFF) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    add_code(text, code);
    return true;
}

static bool read_escape(Reader *reader, Text *text) {
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    if (take(reader, 'u')) return read_code(reader, text);
    const char *found =
        reader->at < reader->end && *reader->at ? strchr(names, *reader->at) : NULL;
    if (!found) return false;
    text_bytes(text, bytes + (found - names), 1);
    reader->at++;
    return true;
}

/* What stands between two quotes; NULL where it is no string. */
static char *read_text(Reader *reader) {
    Text text = {0};
    text_bytes(&text, "", 0);
    if (!take(reader, '"')) return (wrong(reader, "a string is expected"), NULL);
    while (!take(reader, '"')) {
        size_t length = utf8_length(reader->at, (size_t)(reader->end - reader->at));
        if (reader->at == reader->end) return (wrong(reader, "a string does not end"), NULL);
        if (length == 0) return (wrong(reader, "a string is no UTF-8"), NULL);
        if ((unsigned char)*reader->at < 0x20)
            return (wrong(reader, "a string holds a control character"), NULL);
        if (take(reader, '\\')) {
            if (!read_escape(reader, &text)) return (wrong(reader, "an escape is wrong"), NULL);
        } else {
            text_bytes(&text, reader->at, length);
            reader->at += length;
        }
    }
    return text.bytes;
}

static size_t take_digits(Reader *reader) {
    const char *begin = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
    return (size_t)(reader->at - begin);
}

static Json *read_number(Reader *reader) {
    const char *begin = reader->at;
    take(reader, '-');
    if (!take(reader, '0') && take_digits(reader) == 0) return wrong(reader, "a value is expected");
    if (take(reader, '.') && take_digits(reader) == 0)
        return wrong(reader, "a number has no digit after its point");
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+')) take(reader, '-');
        if (take_digits(reader) == 0) return wrong(reader, "a number has no exponent");
    }
    Text text = {0};
    text_bytes(&text, begin, (size_t)(reader->at - begin));
    Json *json = made(JSON_NUMBER);
    json->text = text.bytes;
    json->number = strtod(text.bytes, NULL);
    return isfinite(json->number) ? json : wrong(reader, "a number is too large");
}

static void append(Json *list, char *name, Json *item) {
    /* Powers of two: from one to the next there is room. */
    if ((list->count & (list->count - 1)) == 0) {
        size_t room = list->count ? 2 * list->count : 1;
        list->items = grown(list->items, room, sizeof *list->items);
        list->names = grown(list->names, room, sizeof *list->names);
    }
    list->items[list->count] = item;
    list->names[list->count++] = name;
}

/* The items of an array or the members of an object, after its bracket. */
static Json *read_list(Reader *reader, Json *list, char end) {
    skip_space(reader);
    if (take(reader, end)) return list;
    do {
        char *name = NULL;
        skip_space(reader);
        if (list->kind == JSON_OBJECT) {
            if (!(name = read_text(reader))) return NULL;
            skip_space(reader);
            if (!take(reader, ':')) return wrong(reader, "a colon is expected");
        }
        Json *item = read_value(reader);
        if (!item) return NULL;
        append(list, name, item);
        skip_space(reader);
    } while (take(reader, ','));
    return take(reader, end) ? list : wrong(reader, "a comma or a closing bracket is expected");
}

static Json *read_nested(Reader *reader, JsonKind kind, char end) {
    if (++reader->depth > DEPTH_MAX) return wrong(reader, "it is nested too deeply");
    Json *list = read_list(reader, made(kind), end);
    reader->depth--;
    return list;
}

static Json *read_value(Reader *reader) {
    skip_space(reader);
    if (take(reader, '{')) return read_nested(reader, JSON_OBJECT, '}');
    if (take(reader, '[')) return read_nested(reader, JSON_ARRAY, ']');
    if (take_word(reader, "null")) return made(JSON_NULL);
    if (take_word(reader, "true")) return made(JSON_TRUE);
    if (take_word(reader, "false")) return made(JSON_FALSE);
    if (reader->at < reader->end && *reader->at == '"') {
        char *text = read_text(reader);
        if (!text) return NULL;
        Json *json = made(JSON_STRING);
        json->text = text;
        return json;
    }
    return read_number(reader);
}

Json *json_read(const char *bytes, size_t size, const char **words, size_t *at) {
    Reader reader = {.at = bytes, .end = bytes + size};
    Json *json = read_value(&reader);
    skip_space(&reader);
    if (json && reader.at != reader.end) json = wrong(&reader, "something follows its end");
    *words = reader.words;
    *at = (size_t)(reader.at - bytes);
    return json;
}

const Json *json_member(const Json *object, const char *name) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (size_t index = object->count; index-- > 0;)
        if (strcmp(object->names[index], name) == 0)
            return object->items[index]->kind == JSON_NULL ? NULL : object->items[index];
    return NULL;
}

bool json_integer(const Json *json, int64_t *value) {
    if (!json || json->kind != JSON_NUMBER) return false;
    char *end;
    errno = 0;
    long long whole = strtoll(json->text, &end, 10);
    if (*end == 0 && errno == 0) return *value = whole, true;
    /* 5.0 is one too, as far as a double is exact. */
    bool is_exact = fabs(json->number) <= 9007199254740992.0;
    if (!is_exact || json->number != trunc(json->number)) return false;
    return *value = (int64_t)json->number, true;
}
