#include <stdlib.h>

#include "answer.h"
#include "chirp.h"
#include "latency.h"
#include "scheduling.h"
#include "watch.h"

/* Of queries that are counted before the clock is read: no more than this time. */
#define LOOK_EVERY_NS 1000000.0

typedef struct {
    int64_t begin, end, queries;
} Work;

static void add_window(Text *text, const char *name, int64_t begin, int64_t end) {
    text_add(text, "\"%s\": [%lld, %lld], ", name, (long long)begin, (long long)end);
}

static void rest(double seconds, Text *text, const char *name) {
    int64_t begin = now_ns();
    sleep_until(begin + (int64_t)(seconds * 1e9));
    add_window(text, name, begin, now_ns());
}

/* Query after query for so long. */
static Work worked(const Question *question, double seconds, double typical_ns) {
    int64_t step = (int64_t)(LOOK_EVERY_NS / (typical_ns < 1 ? 1 : typical_ns));
    if (step < 1) step = 1;
    Work work = {.begin = now_ns()};
    int64_t stop = work.begin + (int64_t)(seconds * 1e9);
    for (work.end = work.begin; work.end < stop; work.end = now_ns()) {
        ask(question, step);
        work.queries += step;
    }
    return work;
}

/* Queries at their pace for so long, and asleep to the end of the last one's turn. */
static Work worked_at_rate(const Question *question, double seconds) {
    size_t capacity = (size_t)(seconds * question->rate_hz) + 2;
    int64_t *latencies = allocated(capacity, sizeof *latencies);
    Paced told;
    Work work = {.begin = now_ns()};
    int64_t stop = work.begin + (int64_t)(seconds * 1e9);
    work.queries = (int64_t)paced(question, latencies, capacity, (Limits){stop, stop, 0}, &told);
    sleep_until(work.begin + (int64_t)((double)told.due / question->rate_hz * 1e9));
    work.end = now_ns();
    free(latencies);
    return work;
}

void energy_measure(const Question *question, const Job *job) {
    Text text = {0};
    ask(question, 1);
    Warmth warmth = warm_up(question, &job->loop);
    Text chirps = chirped(job->chirps, job->pulse_s);
    text_add(&text, "{\"chirp_ns\": %s, ", chirps.bytes);
    rest(job->idle_s, &text, "idle_before_ns");
    Work work = question->rate_hz > 0 ? worked_at_rate(question, job->active_s)
                                      : worked(question, job->active_s, warmth.typical_ns);
    add_window(&text, "active_ns", work.begin, work.end);
    rest(job->idle_s, &text, "idle_after_ns");
    text_add(&text, "\"inferences\": %lld, \"is_watched\": %s}",
             (long long)(work.queries * question->inferences), watch_end());
    answer_set("energy", text);
}
