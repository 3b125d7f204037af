#include <errno.h>
#include <time.h>

#include "answer.h"
#include "latency.h"
#include "scheduling.h"
#include "watch.h"

/* Of inferences that are counted before the clock is read: no more than this time. */
#define LOOK_EVERY_NS 1000000.0

static void add_window(Text *text, const char *name, int64_t begin, int64_t end) {
    text_add(text, "\"%s\": [%lld, %lld], ", name, (long long)begin, (long long)end);
}

static void sleep_for(double seconds, Text *text, const char *name) {
    int64_t begin = now_ns(), stop = begin + (int64_t)(seconds * 1e9);
    const struct timespec until = {stop / 1000000000, stop % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
    add_window(text, name, begin, now_ns());
}

void energy_measure(const Backend *backend, const Job *job) {
    Text text = {0};
    text_add(&text, "{");
    backend->invoke();
    Warmth warmth = warm_up(backend, &job->loop);
    sleep_for(job->idle_s, &text, "idle_before_ns");
    double typical_ns = warmth.typical_ns < 1 ? 1 : warmth.typical_ns;
    int64_t step = (int64_t)(LOOK_EVERY_NS / typical_ns), inferences = 0;
    if (step < 1) step = 1;
    int64_t begin = now_ns(), now = begin, stop = begin + (int64_t)(job->active_s * 1e9);
    for (; now < stop; now = now_ns()) {
        for (int64_t count = 0; count < step; count++) backend->invoke();
        inferences += step;
    }
    add_window(&text, "active_ns", begin, now);
    sleep_for(job->idle_s, &text, "idle_after_ns");
    text_add(&text, "\"inferences\": %lld, \"is_watched\": %s}", (long long)inferences,
             watch_end());
    answer_set("energy", text);
}
