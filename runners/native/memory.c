#include "memory.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    long long *sum;
} Field;

/* Add up the fields of a file, which counts in kB; whether it could be read. */
static bool add_fields(const char *path, const Field *fields, int count) {
    static char buffer[4096]; /* not the allocator's, whose memory is counted here */
    char line[512], name[64];
    long long kilobytes;
    FILE *file = fopen(path, "re");
    if (!file) return false;
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%63[^: ]: %lld kB", name, &kilobytes) != 2) continue;
        for (int index = 0; index < count; index++)
            if (strcmp(name, fields[index].name) == 0) *fields[index].sum += kilobytes * 1024;
    }
    fclose(file);
    return true;
}

bool checkpoint(Checkpoint *point, bool was_reset) {
    long long swapped = 0, peak = 0;
    *point = (Checkpoint){0};
    const Field mapped[] = {{"Rss", &point->rss},
                            {"Pss", &point->pss},
                            {"Anonymous", &point->anonymous},
                            {"Private_Clean", &point->private_},
                            {"Private_Dirty", &point->private_},
                            {"Swap", &point->swap}};
    const Field status[] = {{"VmSwap", &swapped}, {"VmHWM", &peak}};
    /* The rollup came with Linux 4.14; the long list says the same, slower. */
    bool is_told = add_fields("/proc/self/smaps_rollup", mapped, 6) ||
                   add_fields("/proc/self/smaps", mapped, 6);
    add_fields("/proc/self/status", status, 2);
    if (swapped) point->swap = swapped;
    point->peak = was_reset && peak ? peak : -1;
    return is_told && point->pss;
}

bool reset_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (!file) return false;
    bool is_written = fputs("5", file) >= 0;
    return fclose(file) == 0 && is_written;
}
