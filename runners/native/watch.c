#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "answer.h"
#include "program.h"
#include "scheduling.h"
#include "text.h"

enum { CHARACTERS_MAX = 65536, FLUSH_BYTES = 1 << 20, END_TIMEOUT_MS = 15000 };
/* What a board that is watched for hours may write at most. */
#define OUT_BYTES_MAX (256LL << 20)

typedef struct {
    const char *name, *path;
    char **argv; /* of a program that is run for every reading; NULL for a file */
    int file; /* kept open: each read at its beginning makes it speak anew; -1 where it is not */
    int64_t period_ns, due_ns;
} Source;

typedef struct {
    int file;
    Text kept;
    long long total_bytes, readings;
} Output;

static pid_t watcher;
static int leash = -1; /* the watcher ends when this is closed, so also when this process ends */

static void flush(Output *output) {
    const char *from = output->kept.bytes;
    while (output->kept.size) {
        ssize_t written = write(output->file, from, output->kept.size);
        if (written < 0 && errno == EINTR) continue;
        /* What was read is not whole any more, and the runner is told by the code of the end. */
        if (written <= 0) _exit(1);
        from += written;
        output->kept.size -= (size_t)written;
    }
}

static void add_row(Output *output, int64_t time_ns, const Source *source, const char *text,
                    const char *error) {
    if (output->total_bytes > OUT_BYTES_MAX) return;
    size_t before = output->kept.size;
    text_add(&output->kept, "[%lld, ", (long long)time_ns);
    text_quoted(&output->kept, source->name);
    text_add(&output->kept, text ? ", " : ", null, ");
    text_quoted(&output->kept, text ? text : error);
    text_add(&output->kept, "]\n");
    output->total_bytes += (long long)(output->kept.size - before);
    output->readings++;
    if (output->kept.size > FLUSH_BYTES) flush(output);
}

/* One reading, at the middle of the time that it took. */
static void look(Source *source, Output *output) {
    static char text[CHARACTERS_MAX + 1];
    int64_t begin = now_ns();
    if (source->argv) {
        bool is_well = program_ask(source->argv, text, sizeof text);
        int64_t middle = is_well ? begin + (now_ns() - begin) / 2 : begin;
        add_row(output, middle, source, is_well ? text : NULL, text);
        return;
    }
    if (source->file < 0)
        source->file = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = source->file < 0 ? -1 : pread(source->file, text, CHARACTERS_MAX, 0);
    if (size < 0) {
        add_row(output, begin, source, NULL, strerror(errno));
        if (source->file >= 0) close(source->file);
        source->file = -1;
        return;
    }
    text[size] = 0;
    add_row(output, begin + (now_ns() - begin) / 2, source, text, NULL);
}

/* Read each source at its period until the other end of the leash is gone. */
static void watch(Source *sources, size_t count, int stop, Output *output) {
    struct pollfd ended = {.fd = stop, .events = POLLIN};
    do {
        int64_t wait_ns = INT64_C(60000000000);
        for (size_t index = 0; index < count; index++) {
            Source *source = &sources[index];
            if (source->due_ns <= now_ns()) {
                look(source, output);
                /* Beats that were missed are not made up for. */
                source->due_ns += source->period_ns;
                if (source->due_ns < now_ns()) source->due_ns = now_ns();
            }
        }
        for (size_t index = 0; index < count; index++)
            if (sources[index].due_ns - now_ns() < wait_ns)
                wait_ns = sources[index].due_ns - now_ns();
        poll(&ended, 1, wait_ns > 0 ? (int)(wait_ns / 1000000 + 1) : 0);
    } while (!ended.revents);
    /* Once more at the end: what is read rarely is a difference of first and last. */
    for (size_t index = 0; index < count; index++) look(&sources[index], output);
}

static double seconds_used_by(int whom) {
    struct rusage used;
    getrusage(whom, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static _Noreturn void be_watcher(Source *sources, size_t count, int stop, Output output) {
    int64_t begin = now_ns();
    for (size_t index = 0; index < count; index++) sources[index].due_ns = begin;
    watch(sources, count, stop, &output);
    text_add(&output.kept,
             "{\"begin_ns\": %lld, \"end_ns\": %lld, \"readings\": %lld, \"cpu_s\": %.6f}\n",
             (long long)begin, (long long)now_ns(), output.readings,
             seconds_used_by(RUSAGE_SELF) + seconds_used_by(RUSAGE_CHILDREN));
    flush(&output);
    _exit(0);
}

static char **argv_of(const Json *told, const char *name) {
    if (told->kind != JSON_ARRAY || told->count == 0)
        fail("runtime_error", "'%s' has a program without words.", name);
    char **argv = allocated(told->count + 1, sizeof *argv);
    for (size_t index = 0; index < told->count; index++) {
        if (told->items[index]->kind != JSON_STRING)
            fail("runtime_error", "'%s' has a program whose words are none.", name);
        argv[index] = told->items[index]->text;
    }
    return argv;
}

static Source source_of(const Json *told) {
    const Json *name = json_member(told, "name"), *path = json_member(told, "path");
    const Json *period = json_member(told, "period_s"), *argv = json_member(told, "argv");
    const Json *stream = json_member(told, "stream");
    if (!name || name->kind != JSON_STRING || !period || period->kind != JSON_NUMBER)
        fail("runtime_error", "A source to watch has no name or no period.");
    if (stream && stream->kind == JSON_TRUE)
        fail("no_runtime", "The native runner asks programs; '%s' speaks by itself.", name->text);
    if (!argv && (!path || path->kind != JSON_STRING))
        fail("runtime_error", "'%s' is neither a file nor a program.", name->text);
    if (!(period->number > 0 && period->number < 1e6))
        fail("runtime_error", "'%s' has a period of %g s.", name->text, period->number);
    return (Source){
        .name = name->text,
        .path = argv ? NULL : path->text,
        .argv = argv ? argv_of(argv, name->text) : NULL,
        .file = -1,
        .period_ns = (int64_t)(period->number * 1e9),
    };
}

static void stay_on(const Json *cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t index = 0; cpus && index < cpus->count; index++) {
        int64_t cpu = whole_at(cpus, index, "watch.cpus");
        if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET((size_t)cpu, &set);
    }
    /* Where the kernel lets it: elsewhere it watches all the same. */
    if (CPU_COUNT(&set)) sched_setaffinity(0, sizeof set, &set);
}

void watch_start(const Job *job) {
    const Json *told = json_member(job->watch, "sources"), *cpus = json_member(job->watch, "cpus");
    int ends[2];
    if (!job->watch) return;
    if (!told || told->kind != JSON_ARRAY) fail("runtime_error", "The job's watch has no sources.");
    if (cpus && cpus->kind != JSON_ARRAY) fail("runtime_error", "watch.cpus is no list.");
    Source *sources = allocated(told->count, sizeof *sources);
    for (size_t index = 0; index < told->count; index++)
        sources[index] = source_of(told->items[index]);
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    Output output = {.file = open(job->watch_output, flags, 0666)};
    if (output.file < 0) fail_of_system("Cannot write", job->watch_output);
    if (pipe2(ends, O_CLOEXEC) != 0 || (watcher = fork()) < 0)
        fail_of_system("Cannot start the watcher for", job->watch_output);
    if (watcher == 0) {
        close(ends[1]);
        /* The result is the runner's to write, whatever happens here. */
        answer_to(NULL);
        stay_on(cpus);
        be_watcher(sources, told->count, ends[0], output);
    }
    close(ends[0]);
    close(output.file);
    leash = ends[1];
    free(sources);
}

const char *watch_end(void) {
    if (leash < 0) return "null";
    close(leash);
    leash = -1;
    return ended_well(watcher, END_TIMEOUT_MS) ? "true" : "false";
}
