#include "chirp.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "answer.h"
#include "program.h"
#include "scheduling.h"

/* For the processes to have started, and for the power to have come to rest after that. */
#define LEAD_NS INT64_C(3000000000)
/* Share of a pulse by which a core may begin late. */
#define LATE_MAX 0.2
enum { END_TIMEOUT_MS = 10000, LATE = 3 };

typedef struct {
    int64_t begin_ns, count, pulse_ns;
} Song;

static int64_t start_of(const Song *song, int64_t index) {
    return song->begin_ns + 2 * index * song->pulse_ns;
}

static _Noreturn void sing(const Song *song, long cores, pid_t runner) {
    cpu_set_t all;
    CPU_ZERO(&all);
    for (long core = 0; core < cores && core < CPU_SETSIZE; core++) CPU_SET((size_t)core, &all);
    /* The runner may be kept to some cores, and may end before this does. */
    sched_setaffinity(0, sizeof all, &all);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner) _exit(LATE);
    for (int64_t index = 0; index < song->count; index++) {
        int64_t start = start_of(song, index);
        sleep_until(start);
        if (now_ns() > start + (int64_t)(LATE_MAX * (double)song->pulse_ns)) _exit(LATE);
        while (now_ns() < start + song->pulse_ns) continue;
    }
    _exit(0);
}

Text chirped(int64_t count, double pulse_s) {
    Text text = {0};
    text_add(&text, "[");
    int64_t pulse_ns = (int64_t)(pulse_s * 1e9);
    Song song = {now_ns() + LEAD_NS + pulse_ns, count, pulse_ns};
    long cores = count ? sysconf(_SC_NPROCESSORS_ONLN) : 0;
    pid_t *singers = allocated((size_t)(cores > 0 ? cores : 1), sizeof *singers), runner = getpid();
    for (long core = 0; core < cores; core++) {
        singers[core] = fork();
        if (singers[core] < 0) fail_of_system("Cannot start a process for", "a chirp");
        if (singers[core] == 0) sing(&song, cores, runner);
    }
    bool is_whole = cores > 0;
    if (cores > 0) sleep_until(start_of(&song, count));
    for (long core = 0; core < cores; core++) is_whole = ended_well(singers[core], END_TIMEOUT_MS) && is_whole;
    for (int64_t index = 0; is_whole && index < count; index++) {
        int64_t start = start_of(&song, index);
        text_add(&text, index ? ", [%lld, %lld]" : "[%lld, %lld]", (long long)start,
                 (long long)(start + pulse_ns));
    }
    text_add(&text, "]");
    return text;
}
