#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "answer.h"
#include "scheduling.h"

enum { ROUNDS = 5 };
/* Some 7 ms of a shared x86 core, so that one interruption does not make a round. */
#define STEPS 5000000

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void sleep_until(int64_t time_ns) {
    const struct timespec until = {time_ns / 1000000000, time_ns % 1000000000};
    if (now_ns() >= time_ns) return;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
}

Text keep_to(const Job *job) {
    cpu_set_t cpus;
    Text text = {0};
    CPU_ZERO(&cpus);
    for (size_t index = 0; job->cpus && index < job->cpus->count; index++) {
        int64_t cpu = whole_at(job->cpus, index, "cpus");
        if (cpu < 0 || cpu >= CPU_SETSIZE)
            fail("runtime_error", "There is no core %lld.", (long long)cpu);
        CPU_SET((size_t)cpu, &cpus);
    }
    if (CPU_COUNT(&cpus) && sched_setaffinity(0, sizeof cpus, &cpus) != 0)
        fail("runtime_error", "The runner may not stay on the job's cores: %s.", strerror(errno));
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    text_add(&text, "[");
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus)) text_add(&text, text.size > 1 ? ", %zu" : "%zu", cpu);
    text_add(&text, "]");
    return text;
}

/* Nanoseconds on a core, and ready for one that others had, over all threads; false where a kernel
 * does not count them, or a thread ended just now. */
static bool ran_and_waited(long long *run_ns, long long *wait_ns) {
    DIR *threads = opendir("/proc/self/task");
    struct dirent *thread;
    bool is_whole = threads != NULL;
    *run_ns = *wait_ns = 0;
    while (is_whole && (thread = readdir(threads))) {
        char path[320];
        long long ran, waited;
        if (thread->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", thread->d_name);
        FILE *file = fopen(path, "re");
        is_whole = file && fscanf(file, "%lld %lld", &ran, &waited) == 2;
        if (is_whole) *run_ns += ran, *wait_ns += waited;
        if (file) fclose(file);
    }
    if (threads) closedir(threads);
    return is_whole;
}

Counters counters(void) {
    struct rusage used;
    Counters found;
    getrusage(RUSAGE_SELF, &used);
    if (!ran_and_waited(&found.run_ns, &found.wait_ns)) found.run_ns = found.wait_ns = -1;
    found.involuntary = used.ru_nivcsw;
    found.voluntary = used.ru_nvcsw;
    found.major_faults = used.ru_majflt;
    return found;
}

Text counted(Counters before, Counters after) {
    Text text = {0};
    if (before.run_ns < 0 || after.run_ns < 0)
        text_add(&text, "{\"run_ns\": null, \"wait_ns\": null");
    else
        text_add(&text, "{\"run_ns\": %lld, \"wait_ns\": %lld", after.run_ns - before.run_ns,
                 after.wait_ns - before.wait_ns);
    text_add(&text, ", \"involuntary_switches\": %ld, \"voluntary_switches\": %ld",
             after.involuntary - before.involuntary, after.voluntary - before.voluntary);
    text_add(&text, ", \"major_faults\": %ld}", after.major_faults - before.major_faults);
    return text;
}

int64_t canary_ns(void) {
    static volatile uint64_t sink;
    int64_t fastest = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = now_ns();
        uint64_t value = 1;
        for (long step = 0; step < STEPS; step++)
            value = (value * 1103515245u + 12345u) & 0x7FFFFFFF;
        sink = value;
        int64_t spent = now_ns() - begin;
        if (spent < fastest) fastest = spent;
    }
    (void)sink;
    return fastest;
}
