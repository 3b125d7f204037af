#include "latency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "npz.h"
#include "scheduling.h"
#include "watch.h"

enum {
    BLOCKS = 10,
    BLOCK_MIN_INVOKES = 5,
    PAIRS = BLOCKS * (BLOCKS - 1) / 2,
    STEADY_INVOKES = 100,
    /* 32 MB, and a model of 1 us still has its 3 s. */
    CAPACITY_MAX = 4000000
};
#define STEADY_RATIO 0.01
/* Below this the reading of the clock is no longer small: so many queries are timed together that
 * they take as long. */
#define SAMPLE_MIN_NS 50000.0

typedef struct {
    int64_t *times;
    size_t capacity;
} Room;

typedef struct {
    int64_t load_ns, first_ns, group;
    size_t count;
    Paced paced;
} Times;

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The median; sorts the values. */
static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_size);
    size_t middle = count / 2;
    return count % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

static double median_of(const double *values, size_t count) {
    double copy[BLOCKS];
    memcpy(copy, values, count * sizeof *values);
    return median(copy, count);
}

/* Theil-Sen: the median of the slopes between all pairs. */
static double slope(const double *values) {
    double slopes[PAIRS];
    size_t count = 0;
    for (int before = 0; before < BLOCKS; before++)
        for (int after = before + 1; after < BLOCKS; after++)
            slopes[count++] = (values[after] - values[before]) / (after - before);
    return median(slopes, count);
}

static bool is_steady(const double *last) {
    double before = median_of(last, BLOCKS / 2), after = median_of(last + BLOCKS / 2, BLOCKS / 2);
    double drift = slope(last) * (double)BLOCKS / before;
    return fabs(after / before - 1) <= STEADY_RATIO && fabs(drift) <= STEADY_RATIO;
}

/* Median time of at least five queries that take at least `block_ns` in all. */
static double block(const Question *question, int64_t block_ns, int64_t *invokes) {
    static double *times;
    static size_t room;
    int64_t stop = now_ns() + block_ns, end;
    size_t count = 0;
    do {
        if (count == room) {
            room = room ? 2 * room : 4096;
            times = grown(times, room, sizeof *times);
        }
        int64_t start = now_ns();
        ask(question, 1);
        end = now_ns();
        times[count++] = (double)(end - start);
    } while (end < stop || count < BLOCK_MIN_INVOKES);
    *invokes += (int64_t)count;
    return median(times, count);
}

static int64_t ns(double seconds) { return (int64_t)(seconds * 1e9); }

Warmth warm_up(const Question *question, const Loop *loop) {
    Warmth warmth = {.typical_ns = INFINITY};
    int64_t begin = now_ns(), cap = begin + ns(loop->warmup_max_s);
    int64_t least = begin + ns(loop->warmup_min_s), blocks = 0;
    double last[BLOCKS] = {0};
    /* One block at least: without it nobody knows how long a query takes. */
    do {
        memmove(last, last + 1, (BLOCKS - 1) * sizeof *last);
        last[BLOCKS - 1] = block(question, ns(loop->warmup_min_s / (double)BLOCKS), &warmth.invokes);
        warmth.typical_ns = fmin(warmth.typical_ns, last[BLOCKS - 1]);
        bool is_enough = now_ns() >= least && warmth.invokes >= loop->warmup_min_invokes;
        warmth.is_steady = ++blocks >= BLOCKS && is_enough && is_steady(last);
    } while (!warmth.is_steady && now_ns() < cap);
    warmth.seconds = (double)(now_ns() - begin) / 1e9;
    return warmth;
}

static Limits limits_of(const Loop *loop) {
    int64_t begin = now_ns();
    return (Limits){
        .enough = begin + ns(loop->sample_min_s),
        .stop = begin + ns(loop->sample_max_s),
        .least = loop->sample_min_invokes,
    };
}

/* Time groups of queries until the limits are met or the array is full; how many it were. */
static size_t fill(const Question *question, int64_t group, Limits limits, Room samples) {
    for (size_t index = 0; index < samples.capacity; index++) {
        int64_t start = now_ns();
        ask(question, group);
        int64_t end = now_ns();
        samples.times[index] = end - start;
        bool is_enough = end >= limits.enough && (int64_t)index + 1 >= limits.least;
        if (end >= limits.stop || is_enough) return index + 1;
    }
    return samples.capacity;
}

/* Room for the samples, written once over, so that no page fault falls into one. */
static Room room_for(const Loop *loop, double typical_ns) {
    double expected = 2 * loop->sample_min_s * 1e9 / fmax(typical_ns, 1);
    double capacity = fmax(expected, (double)loop->sample_min_invokes) + 1;
    Room room = {.capacity = (size_t)fmin(capacity, CAPACITY_MAX)};
    room.times = allocated(room.capacity, sizeof *room.times);
    memset(room.times, 1, room.capacity * sizeof *room.times);
    return room;
}

static int64_t group_of(const Question *question, const Loop *loop, double typical_ns) {
    if (question->rate_hz > 0) return 1;
    if (loop->group) return loop->group;
    return (int64_t)fmax(1, ceil(SAMPLE_MIN_NS / fmax(typical_ns, 1)));
}

/* Queries at their pace before any counts: between them the clock of the device may fall. */
static int64_t settle(const Question *question, const Loop *loop) {
    Loop brief = *loop;
    Paced told;
    brief.sample_min_s = brief.sample_max_s = loop->warmup_min_s;
    Room room = room_for(&brief, 1e9 / question->rate_hz);
    size_t count = paced(question, room.times, room.capacity, limits_of(&brief), &told);
    free(room.times);
    return (int64_t)count;
}

static void answer_state(int64_t begin, int64_t end, const int64_t canary[2], Text scheduling,
                         Text cpus, const char *is_watched) {
    Text state = {0};
    text_add(&state, "{\"begin_ns\": %lld, \"end_ns\": %lld, \"canary_ns\": [%lld, %lld]",
             (long long)begin, (long long)end, (long long)canary[0], (long long)canary[1]);
    text_add(&state, ", \"scheduling\": %s, \"cpus\": %s, \"is_watched\": %s}", scheduling.bytes,
             cpus.bytes, is_watched);
    answer_set("state", state);
}

static void answer_latency(const Warmth *warmth, const Times *times, const Question *question) {
    Text text = {0};
    text_add(&text, "{\"load_ns\": %lld, \"first_ns\": %lld, \"warmup_invokes\": %lld",
             (long long)times->load_ns, (long long)times->first_ns, (long long)warmth->invokes);
    text_add(&text, ", \"warmup_s\": ");
    text_real(&text, warmth->seconds);
    text_add(&text, ", \"is_steady\": %s, \"samples\": %zu, \"group\": %lld",
             warmth->is_steady ? "true" : "false", times->count, (long long)times->group);
    text_add(&text, ", \"batch\": %lld, \"inferences\": %lld", (long long)question->batch,
             (long long)question->inferences);
    if (question->rate_hz > 0)
        text_add(&text, ", \"due\": %lld, \"missed\": %lld, \"wake_ns\": %lld",
                 (long long)times->paced.due, (long long)times->paced.missed,
                 (long long)times->paced.wake_ns);
    text_add(&text, "}");
    answer_set("latency", text);
}

void latency_measure(const Question *question, const Job *job, int64_t load_ns, Text cpus) {
    const Loop *loop = &job->loop;
    int64_t canary[2], first_ns = now_ns();
    ask(question, 1);
    Times times = {.load_ns = load_ns, .first_ns = now_ns() - first_ns};
    Warmth warmth = warm_up(question, loop);
    bool is_paced = question->rate_hz > 0;
    times.group = group_of(question, loop, warmth.typical_ns);
    double expected_ns = (double)times.group * warmth.typical_ns;
    Room samples = room_for(loop, is_paced ? 1e9 / question->rate_hz : expected_ns);
    /* Once the clock has risen, as it has for the one behind the samples; then the caches are the
     * model's again. */
    canary[0] = canary_ns();
    block(question, ns(loop->warmup_min_s / (double)BLOCKS), &warmth.invokes);
    if (is_paced) warmth.invokes += settle(question, loop);
    Counters before = counters();
    int64_t begin = now_ns();
    if (is_paced)
        times.count =
            paced(question, samples.times, samples.capacity, limits_of(loop), &times.paced);
    else
        times.count = fill(question, times.group, limits_of(loop), samples);
    int64_t end = now_ns();
    Text scheduling = counted(before, counters());
    canary[1] = canary_ns();
    answer_state(begin, end, canary, scheduling, cpus, watch_end());
    answer_latency(&warmth, &times, question);
    Tensor taken = {DTYPE_INT64, 1, {(int64_t)times.count}, samples.times};
    npz_write(job->samples, &(Array){.name = "latency_ns", .values = taken}, 1);
}

void invoke_steadily(const Backend *backend, double limit_s) {
    int64_t stop = now_ns() + ns(limit_s);
    for (int count = 0; count < STEADY_INVOKES; count++) {
        backend->invoke();
        if (now_ns() > stop) return;
    }
}
