#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scheduling.h"

enum { WORDS_MAX = 200 };
#define TIMEOUT_NS INT64_C(5000000000)

extern char **environ;

/* Start it with both outputs in the pipe `to`; an errno. */
static int start(char *const *argv, int to, pid_t *pid) {
    posix_spawn_file_actions_t files;
    int error = posix_spawn_file_actions_init(&files);
    if (error) return error;
    error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error) error = posix_spawn_file_actions_adddup2(&files, to, STDOUT_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&files, to, STDERR_FILENO);
    if (!error) error = posix_spawnp(pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Take what it prints until its end; what does not fit is thrown away. False after the time. */
static bool take(int from, char *text, size_t size) {
    int64_t until_ns = now_ns() + TIMEOUT_NS;
    char rest[4096];
    size_t kept = 0;
    text[0] = 0;
    for (;;) {
        int64_t left_ms = (until_ns - now_ns()) / 1000000;
        struct pollfd ready = {.fd = from, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) == 0) return false;
        bool is_full = kept + 1 >= size;
        ssize_t got = is_full ? read(from, rest, sizeof rest)
                              : read(from, text + kept, size - 1 - kept);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return true;
        if (!is_full) kept += (size_t)got;
        text[kept] = 0;
    }
}

/* Wait for its end, which need not come with that of its outputs; false after the time. */
static bool wait_for(pid_t pid, int *status) {
    for (int64_t until_ns = now_ns() + TIMEOUT_NS; now_ns() < until_ns; poll(NULL, 0, 1))
        if (waitpid(pid, status, WNOHANG) == pid) return true;
    return false;
}

/* The end of what it printed stands in the place of an error's words, where it printed any. */
static void keep_end(char *text, size_t size, int code) {
    size_t length = strlen(text);
    while (length && strchr(" \t\r\n", text[length - 1])) text[--length] = 0;
    if (length > WORDS_MAX) memmove(text, text + length - WORDS_MAX, WORDS_MAX + 1);
    if (!length) snprintf(text, size, "ended with code %d", code);
}

bool program_ask(char *const *argv, char *text, size_t size) {
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(text, size, "%s", strerror(errno));
        return false;
    }
    int error = start(argv, ends[1], &pid);
    close(ends[1]);
    bool is_whole = !error && take(ends[0], text, size) && wait_for(pid, &status);
    close(ends[0]);
    if (error) {
        snprintf(text, size, "%s: %s", argv[0], strerror(error));
    } else if (!is_whole) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        snprintf(text, size, "%s took longer than 5 s", argv[0]);
    } else if (status) {
        keep_end(text, size, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        return false;
    }
    return is_whole;
}

bool ended_well(pid_t process, int timeout_ms) {
    int status = 1;
    for (int waited_ms = 0; waited_ms < timeout_ms; waited_ms += 10) {
        if (waitpid(process, &status, WNOHANG) == process)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        poll(NULL, 0, 10);
    }
    kill(process, SIGKILL);
    waitpid(process, &status, 0);
    return false;
}
