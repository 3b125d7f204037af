/* A model through onnxruntime's C library and nothing else: the loop that the runner is held to.
 *
 *   onnxruntime_loop LIBRARY MODEL INPUT OUTPUT FLOATS RUNS DIMENSION...
 *
 * One float input of FLOATS zeros to ones; prints the median nanoseconds of RUNS inferences after
 * as many as were asked for a tenth. The library hands out a table of functions whose order is
 * promised never to change (include/onnxruntime/core/session/onnxruntime_c_api.h); the places
 * below are those of version 1.17, API 17, and every later library serves them.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_OPTIONS = 10,
    SET_INTRA_OP_THREADS = 24,
    CREATE_TENSOR_WITH_DATA = 49,
    CREATE_CPU_MEMORY_INFO = 69,
    RELEASE_VALUE = 96,
    API_VERSION = 17,
    LOG_ERRORS = 3,
    ARENA = 1,
    MEMORY_DEFAULT = 0,
    FLOAT = 1
};

typedef void *Status;
typedef struct {
    void *const *(*table)(uint32_t);
    const char *(*version)(void);
} Base;

static void *const *api;

static void check(Status status) {
    if (status) {
        fprintf(stderr, "%s\n", ((const char *(*)(Status))api[ERROR_MESSAGE])(status));
        exit(1);
    }
}

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int main(int count, char **words) {
    if (count < 8) return fprintf(stderr, "see the head of onnxruntime_loop.c\n"), 2;
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    const Base *base = ((const Base *(*)(void))dlsym(library, "OrtGetApiBase"))();
    api = base->table(API_VERSION);
    void *environment, *options, *session, *memory, *input, *output = NULL;
    check(((Status(*)(int, const char *, void **))api[CREATE_ENV])(LOG_ERRORS, "loop", &environment));
    check(((Status(*)(void **))api[CREATE_OPTIONS])(&options));
    check(((Status(*)(void *, int))api[SET_INTRA_OP_THREADS])(options, 1));
    check(((Status(*)(void *, const char *, void *, void **))api[CREATE_SESSION])(
        environment, words[2], options, &session));
    check(((Status(*)(int, int, void **))api[CREATE_CPU_MEMORY_INFO])(ARENA, MEMORY_DEFAULT, &memory));

    size_t floats = strtoul(words[5], NULL, 10), runs = strtoul(words[6], NULL, 10);
    size_t rank = (size_t)count - 7;
    float *values = malloc(floats * sizeof *values);
    int64_t shape[16], *times = malloc(runs * sizeof *times);
    for (size_t at = 0; at < floats; at++) values[at] = (float)(at % 1009) / 1009;
    for (size_t at = 0; at < rank; at++) shape[at] = strtol(words[7 + at], NULL, 10);
    check(((Status(*)(void *, void *, size_t, const int64_t *, size_t, int, void **))
               api[CREATE_TENSOR_WITH_DATA])(
        memory, values, floats * sizeof *values, shape, rank, FLOAT, &input));

    const char *inputs[] = {words[3]}, *outputs[] = {words[4]};
    Status (*run)(void *, void *, const char *const *, void *const *, size_t, const char *const *,
                  size_t, void **) = api[RUN];
    void (*release)(void *) = api[RELEASE_VALUE];
    size_t warm = runs / 10 + 5;
    for (size_t at = 0; at < warm + runs; at++) {
        int64_t start = now_ns();
        check(run(session, NULL, inputs, &input, 1, outputs, 1, &output));
        int64_t end = now_ns();
        release(output);
        output = NULL;
        if (at >= warm) times[at - warm] = end - start;
    }
    qsort(times, runs, sizeof *times, by_size);
    printf("%lld\n", (long long)(times[(runs - 1) / 2] + times[runs / 2]) / 2);
    return 0;
}
