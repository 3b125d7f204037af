#include "answer.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* As in runners/run.py: a runtime may print a book. */
enum { ERROR_CHARACTERS_MAX = 4000 };

static const char *result_path;
static const char *runtime = "unknown"; /* until the job says it */
static Text members;
static bool is_failing;

void answer_to(const char *path) { result_path = path; }

void answer_runtime(const char *name) { runtime = name; }

void answer_set(const char *name, Text value) {
    text_add(&members, ", ");
    text_quoted(&members, name);
    text_add(&members, ": %s", value.size ? value.bytes : "null");
    free(value.bytes);
}

bool write_whole(const char *path, const void *bytes, size_t size) {
    size_t length = strlen(path) + sizeof ".part";
    char *partial = allocated(length, 1);
    snprintf(partial, length, "%s.part", path);
    int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool is_well = file >= 0;
    const char *from = bytes;
    while (is_well && size) {
        ssize_t written = write(file, from, size);
        if (written < 0 && errno == EINTR) continue;
        is_well = written > 0;
        if (is_well) from += written, size -= (size_t)written;
    }
    is_well = is_well && fsync(file) == 0;
    int error = errno;
    if (file >= 0) close(file);
    if (is_well) is_well = rename(partial, path) == 0;
    else errno = error;
    free(partial);
    return is_well;
}

static void add_environment(Text *document) {
    struct utsname system;
    text_add(document, ", \"environment\": {\"runner\": \"native\", \"compiler\": ");
    text_quoted(document, __VERSION__);
    text_add(document, ", \"glibc\": ");
    text_quoted(document, gnu_get_libc_version());
    if (uname(&system) == 0) {
        text_add(document, ", \"machine\": ");
        text_quoted(document, system.machine);
    }
    text_add(document, "}");
}

static void finish(const char *status, const char *reason, const char *error) {
    Text document = {0};
    text_add(&document, "{\"schema\": \"edgebench.result/1\", \"status\": ");
    text_quoted(&document, status);
    if (reason) {
        text_add(&document, ", \"reason\": ");
        text_quoted(&document, reason);
        text_add(&document, ", \"error\": ");
        text_quoted(&document, error);
    }
    text_add(&document, ", \"runtime\": ");
    text_quoted(&document, runtime);
    add_environment(&document);
    if (members.size) text_bytes(&document, members.bytes, members.size);
    text_add(&document, "}");
    if (!result_path || !write_whole(result_path, document.bytes, document.size)) {
        fprintf(stderr, "no result can be written to %s: %s\n", result_path ? result_path : "-",
                strerror(errno));
        _exit(1);
    }
    free(document.bytes);
}

void answer_done(void) { finish("ok", NULL, NULL); }

_Noreturn void fail(const char *reason, const char *format, ...) {
    char words[ERROR_CHARACTERS_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\n", reason, words);
    /* Memory that is not there while the failure is written down: the words above must do. */
    if (is_failing) _exit(1);
    is_failing = true;
    finish("failed", reason, words);
    /* Without the runtime's own end: a library that is in a bad way may hang there. */
    fflush(NULL);
    _exit(1);
}

_Noreturn void fail_of_system(const char *what, const char *path) {
    int error = errno;
    fail(error == ENOSPC ? "no_space" : "runtime_error", "%s '%s': %s.", what, path,
         strerror(error));
}
