#include "npz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "npy.h"
#include "text.h"

enum {
    LOCAL_MAGIC = 0x04034B50,
    CENTRAL_MAGIC = 0x02014B50,
    END_MAGIC = 0x06054B50,
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    COMMENT_BYTES_MAX = 65535,
    IS_ENCRYPTED = 1,
    IS_UTF8 = 0x800
};

uint32_t crc32_of(const void *bytes, size_t size, uint32_t before) {
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t index = 0; index < 256; index++) {
            uint32_t value = index;
            for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
            table[index] = value;
        }
    const uint8_t *at = bytes;
    uint32_t sum = ~before;
    for (size_t index = 0; index < size; index++) sum = table[(sum ^ at[index]) & 255] ^ sum >> 8;
    return ~sum;
}

static uint32_t word(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t half_word(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

static _Noreturn void unreadable(const char *words, const char *name) {
    fail("unsupported_input", "The inputs cannot be read: %s%s%s.", words, name ? ": " : "",
         name ? name : "");
}

static const uint8_t *end_record(const uint8_t *bytes, size_t size) {
    size_t back = END_BYTES;
    for (; back <= size && back <= END_BYTES + COMMENT_BYTES_MAX; back++)
        if (word(bytes + size - back) == END_MAGIC) return bytes + size - back;
    unreadable("the file is no whole .npz", NULL);
}

/* Where the data of an entry is, by its own head. */
static const uint8_t *entry_data(const uint8_t *bytes, size_t size, const uint8_t *entry,
                                 const char *name) {
    size_t offset = word(entry + 42), data_bytes = word(entry + 24);
    if (half_word(entry + 8) & IS_ENCRYPTED || half_word(entry + 10) != 0)
        unreadable("an array is compressed or encrypted", name);
    if (word(entry + 20) != data_bytes) unreadable("an array has two sizes", name);
    if (offset > size || size - offset < LOCAL_BYTES || word(bytes + offset) != LOCAL_MAGIC)
        unreadable("an array is not where the file says", name);
    const uint8_t *local = bytes + offset;
    offset += LOCAL_BYTES + half_word(local + 26) + half_word(local + 28);
    if (offset > size || size - offset < data_bytes) unreadable("an array is cut off", name);
    if (crc32_of(bytes + offset, data_bytes, 0) != word(entry + 16))
        unreadable("an array is damaged", name);
    return bytes + offset;
}

static Array read_array(const uint8_t *bytes, size_t size, const uint8_t *entry) {
    size_t name_bytes = half_word(entry + 28);
    Array array = {.name = allocated(name_bytes + 1, 1)};
    memcpy(array.name, entry + CENTRAL_BYTES, name_bytes);
    const uint8_t *data = entry_data(bytes, size, entry, array.name);
    const char *wrong = npy_read(data, word(entry + 24), &array);
    if (wrong) {
        Text words = {0};
        text_add(&words, "an array %s", wrong);
        unreadable(words.bytes, array.name);
    }
    if (name_bytes >= 4 && strcmp(array.name + name_bytes - 4, ".npy") == 0)
        array.name[name_bytes - 4] = 0;
    return array;
}

static void read_all(Archive *archive) {
    const uint8_t *bytes = archive->mapped, *end = end_record(bytes, archive->mapped_bytes);
    size_t count = half_word(end + 10), at = word(end + 16);
    size_t stop = (size_t)(end - bytes);
    archive->arrays = allocated(count, sizeof *archive->arrays);
    for (; archive->count < count; archive->count++) {
        if (at > stop || stop - at < CENTRAL_BYTES || word(bytes + at) != CENTRAL_MAGIC)
            unreadable("the list of arrays is broken", NULL);
        const uint8_t *entry = bytes + at;
        size_t length =
            CENTRAL_BYTES + half_word(entry + 28) + half_word(entry + 30) + half_word(entry + 32);
        if (length > stop - at) unreadable("the list of arrays is cut off", NULL);
        archive->arrays[archive->count] = read_array(bytes, archive->mapped_bytes, entry);
        at += length;
    }
}

Archive npz_read(const char *path) {
    Archive archive = {0};
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &facts) != 0) unreadable("there is no file", path);
    if (!S_ISREG(facts.st_mode) || facts.st_size < END_BYTES || facts.st_size > UINT32_MAX)
        unreadable("it is no file of 22 bytes to 4 GiB", path);
    archive.mapped_bytes = (size_t)facts.st_size;
    archive.mapped = mmap(NULL, archive.mapped_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (archive.mapped == MAP_FAILED) unreadable("the file cannot be mapped", path);
    read_all(&archive);
    return archive;
}

void npz_close(Archive *archive) {
    for (size_t index = 0; index < archive->count; index++) {
        free(archive->arrays[index].name);
        free(archive->arrays[index].descr);
    }
    free(archive->arrays);
    if (archive->mapped) munmap(archive->mapped, archive->mapped_bytes);
    *archive = (Archive){0};
}

static void add_words(Text *text, const uint32_t *values, const int *sizes, int count) {
    for (int index = 0; index < count; index++) {
        const uint32_t value = values[index];
        const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                                  (uint8_t)(value >> 24)};
        text_bytes(text, bytes, (size_t)sizes[index]);
    }
}

/* What both heads of an entry have in common: from the version that reads it to its name's size.
 * The day is 1 January 1980, the first that zip knows: the same arrays make the same file. */
static void add_common(Text *text, uint32_t crc, uint32_t bytes, uint32_t name_bytes) {
    const uint32_t values[] = {20, IS_UTF8, 0, 0, 33, crc, bytes, bytes, name_bytes, 0};
    static const int sizes[] = {2, 2, 2, 2, 2, 4, 4, 4, 2, 2};
    add_words(text, values, sizes, 10);
}

static void put(FILE *file, const void *bytes, size_t size, const char *path) {
    if (size && fwrite(bytes, 1, size, file) != size) fail_of_system("Cannot write", path);
}

/* Write one array; its entry in the list at the end goes to `central`. */
static void put_array(FILE *file, const Array *array, Text *central, const char *path) {
    Text head = npy_head(&array->values), local = {0};
    size_t data_bytes = bytes_of(&array->values), bytes = head.size + data_bytes;
    long offset = ftell(file);
    if (offset < 0) fail_of_system("Cannot write", path);
    if (bytes > UINT32_MAX - (size_t)offset || strlen(array->name) > UINT16_MAX - 4)
        fail("runtime_error", "%s would be larger than the 4 GiB that are written.", path);
    uint32_t crc = crc32_of(head.bytes, head.size, 0);
    crc = crc32_of(array->values.data, data_bytes, crc);
    uint32_t name_bytes = (uint32_t)strlen(array->name) + 4;
    add_words(&local, (uint32_t[]){LOCAL_MAGIC}, (int[]){4}, 1);
    add_common(&local, crc, (uint32_t)bytes, name_bytes);
    text_add(&local, "%s.npy", array->name);
    put(file, local.bytes, local.size, path);
    put(file, head.bytes, head.size, path);
    put(file, array->values.data, data_bytes, path);
    add_words(central, (uint32_t[]){CENTRAL_MAGIC, 20}, (int[]){4, 2}, 2);
    add_common(central, crc, (uint32_t)bytes, name_bytes);
    add_words(central, (uint32_t[]){0, 0, 0, 0, (uint32_t)offset}, (int[]){2, 2, 2, 4, 4}, 5);
    text_add(central, "%s.npy", array->name);
    free(head.bytes);
    free(local.bytes);
}

void npz_write(const char *path, const Array *arrays, size_t count) {
    Text partial = {0}, central = {0};
    text_add(&partial, "%s.part", path);
    FILE *file = fopen(partial.bytes, "wb");
    if (!file) fail_of_system("Cannot write", partial.bytes);
    for (size_t index = 0; index < count; index++)
        put_array(file, &arrays[index], &central, partial.bytes);
    long offset = ftell(file);
    if (offset < 0 || central.size > UINT32_MAX - (size_t)offset || count > UINT16_MAX)
        fail("runtime_error", "%s would be larger than the 4 GiB that are written.", path);
    uint32_t entries = (uint32_t)count, size = (uint32_t)central.size;
    add_words(&central, (uint32_t[]){END_MAGIC, 0, 0, entries, entries, size, (uint32_t)offset, 0},
              (int[]){4, 2, 2, 2, 2, 4, 4, 2}, 8);
    put(file, central.bytes, central.size, partial.bytes);
    if (fclose(file) != 0) fail_of_system("Cannot write", partial.bytes);
    if (rename(partial.bytes, path) != 0) fail_of_system("Cannot write", path);
    free(central.bytes);
    free(partial.bytes);
}
