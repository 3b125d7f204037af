#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "text.h"

/* A job is some kilobytes; what is larger is none. */
enum { JOB_BYTES_MAX = 1 << 24, THREADS_MAX = 4096 };
#define SECONDS_MAX 1e6
#define RATE_MAX 1e9
#define COUNT_MAX 1000000000

static _Noreturn void wrong(const char *what, const char *wanted) {
    fail("runtime_error", "The job's %s is not %s.", what, wanted);
}

static Text read_file(const char *path) {
    Text text = {0};
    FILE *file = fopen(path, "rb");
    if (!file) fail_of_system("The job cannot be read", path);
    char bytes[4096];
    size_t size;
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0) {
        text_bytes(&text, bytes, size);
        if (text.size > JOB_BYTES_MAX) fail("runtime_error", "The job is larger than 16 MiB.");
    }
    if (ferror(file)) fail_of_system("The job cannot be read", path);
    fclose(file);
    return text;
}

static char *path_in(const char *folder, const char *path) {
    Text whole = {0};
    text_add(&whole, "%s%s", path[0] == '/' ? "" : folder, path);
    return whole.bytes;
}

static const char *words_of(const Json *job, const char *name) {
    const Json *found = json_member(job, name);
    if (!found || found->kind != JSON_STRING || !*found->text) wrong(name, "a word");
    return found->text;
}

static char *path_of(const Json *job, const char *name, const char *folder) {
    return path_in(folder, words_of(job, name));
}

static const Json *object_of(const Json *job, const char *name) {
    const Json *found = json_member(job, name);
    if (!found || found->kind != JSON_OBJECT) wrong(name, "an object");
    return found;
}

static int64_t whole_of(const Json *job, const char *name, int64_t low, int64_t high) {
    int64_t value = 0;
    if (!json_integer(json_member(job, name), &value)) wrong(name, "an integer of 64 bits");
    if (value < low || value > high)
        fail("runtime_error", "The job's %s is %lld, not %lld to %lld.", name, (long long)value,
             (long long)low, (long long)high);
    return value;
}

static double seconds_of(const Json *job, const char *name) {
    const Json *found = json_member(job, name);
    if (!found || found->kind != JSON_NUMBER) wrong(name, "a number");
    if (!(found->number >= 0 && found->number <= SECONDS_MAX)) wrong(name, "0 to 1e6 seconds");
    return found->number;
}

int64_t whole_at(const Json *list, size_t index, const char *what) {
    int64_t value = 0;
    if (index >= list->count || !json_integer(list->items[index], &value))
        wrong(what, "a list of integers");
    return value;
}

double real_at(const Json *list, size_t index, const char *what) {
    if (index >= list->count || list->items[index]->kind != JSON_NUMBER)
        wrong(what, "a list of numbers");
    return list->items[index]->number;
}

static bool is_nothing(const Json *value) { return !value || value->kind == JSON_NULL; }

static Loop loop_of(const Json *loop) {
    return (Loop){
        .warmup_min_invokes = whole_of(loop, "warmup_min_invokes", 0, COUNT_MAX),
        .sample_min_invokes = whole_of(loop, "sample_min_invokes", 0, COUNT_MAX),
        .warmup_min_s = seconds_of(loop, "warmup_min_s"),
        .warmup_max_s = seconds_of(loop, "warmup_max_s"),
        .sample_min_s = seconds_of(loop, "sample_min_s"),
        .sample_max_s = seconds_of(loop, "sample_max_s"),
        .group = is_nothing(json_member(loop, "group")) ? 0 : whole_of(loop, "group", 1, COUNT_MAX),
    };
}

/* The part of a job that every pass needs; what is there for some of them comes after it. */
static Job common_of(const Json *document, const char *folder) {
    return (Job){
        .kind = words_of(document, "kind"),
        .accelerator = words_of(document, "accelerator"),
        .model = path_of(document, "model", folder),
        .samples = path_of(document, "samples", folder),
        .outputs = path_of(document, "outputs", folder),
        .threads = (int)whole_of(document, "threads", 0, THREADS_MAX),
        .seed = whole_of(document, "seed", 0, INT64_MAX),
        .shapes = object_of(document, "shapes"),
        .ranges = object_of(document, "ranges"),
        .loop = loop_of(object_of(document, "loop")),
    };
}

static Scenario scenario_of(const Json *scenario) {
    static const char *const kinds[] = {"single", "offline", "multi", "periodic"};
    Scenario found = {.kind = "single", .samples = 1};
    if (is_nothing(scenario)) return found;
    if (scenario->kind != JSON_OBJECT) wrong("scenario", "an object");
    found.kind = words_of(scenario, "kind");
    found.samples = whole_of(scenario, "samples", 1, COUNT_MAX);
    bool is_known = false;
    for (size_t index = 0; index < sizeof kinds / sizeof *kinds; index++)
        is_known = is_known || strcmp(kinds[index], found.kind) == 0;
    if (!is_known) fail("no_runtime", "The native runner has no scenario '%s'.", found.kind);
    const Json *rate = json_member(scenario, "rate_hz");
    if (is_nothing(rate)) return found;
    if (rate->kind != JSON_NUMBER || !(rate->number > 0 && rate->number <= RATE_MAX))
        wrong("rate_hz", "a number of queries a second");
    found.rate_hz = rate->number;
    return found;
}

static Job read_document(const Json *document, const char *folder) {
    const char *schema = words_of(document, "schema");
    if (strcmp(schema, "edgebench.job/1") != 0)
        fail("runtime_error", "The job is a '%s'; this runner reads edgebench.job/1.", schema);
    Job job = common_of(document, folder);
    job.runtime = words_of(document, "runtime");
    if (json_member(document, "inputs")) job.inputs = path_of(document, "inputs", folder);
    if (json_member(document, "save_inputs"))
        job.save_inputs = path_of(document, "save_inputs", folder);
    job.generate = 1;
    if (json_member(document, "generate"))
        job.generate = whole_of(document, "generate", 0, COUNT_MAX);
    job.cpus = json_member(document, "cpus");
    if (job.cpus && job.cpus->kind != JSON_ARRAY) wrong("cpus", "a list");
    job.watch = json_member(document, "watch");
    if (job.watch) job.watch_output = path_of(job.watch, "output", folder);
    const bool is_energy = strcmp(job.kind, "energy") == 0;
    const Json *windows = is_energy ? object_of(document, "windows") : NULL;
    job.scenario = scenario_of(json_member(document, "scenario"));
    if (windows) {
        job.idle_s = seconds_of(windows, "idle_s");
        job.active_s = seconds_of(windows, "active_s");
        if (json_member(windows, "chirps")) {
            job.chirps = whole_of(windows, "chirps", 0, COUNT_MAX);
            job.pulse_s = seconds_of(windows, "pulse_s");
        }
    }
    return job;
}

Job job_read(const char *path) {
    const char *slash = strrchr(path, '/'), *words;
    Text folder = {0};
    size_t at;
    text_bytes(&folder, path, slash ? (size_t)(slash - path) + 1 : 0);
    /* Until the job says where: it may be that it cannot. */
    answer_to(path_in(folder.bytes, "result.json"));
    Text text = read_file(path);
    const Json *document = json_read(text.size ? text.bytes : "", text.size, &words, &at);
    if (!document) fail("runtime_error", "The job is no JSON: %s at byte %zu.", words, at);
    if (document->kind != JSON_OBJECT) wrong("document", "an object");
    if (json_member(document, "result")) answer_to(path_of(document, "result", folder.bytes));
    free(text.bytes);
    return read_document(document, folder.bytes);
}
