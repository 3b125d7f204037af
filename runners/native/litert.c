#include "litert.h"

#include <fcntl.h>
#include <unistd.h>

#include "backend.h"
#include "npz.h"

#define DEFINED(name, arguments) int(*Litert##name) arguments;
LITERT_FUNCTIONS(DEFINED)

typedef struct {
    size_t bytes;
    uint32_t crc32;
    const char *version;
} Build;

/* Size and CRC-32 of the file, one for each machine, whatever the wheel's Python. That for
 * x86_64 was run; that for aarch64 is of the same release. */
static const Build builds[] = {
    {8039424, 0xE1073325, "2.3.0"}, /* x86_64 */
    {5991672, 0x2AEB50D0, "2.3.0"}, /* aarch64 */
};

static const char *version_of(const char *path) {
    static uint8_t bytes[1 << 16];
    size_t whole = 0;
    uint32_t crc = 0;
    ssize_t size;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("no_runtime", "The runtime cannot be loaded: there is no '%s'.", path);
    /* Read and not mapped, so that it is no memory of this process. */
    while ((size = read(file, bytes, sizeof bytes)) > 0) {
        crc = crc32_of(bytes, (size_t)size, crc);
        whole += (size_t)size;
    }
    close(file);
    for (size_t index = 0; index < sizeof builds / sizeof *builds; index++)
        if (builds[index].bytes == whole && builds[index].crc32 == crc)
            return builds[index].version;
    fail("no_runtime",
         "'%s' (%zu bytes, CRC-32 %08x) is no library whose functions are known here: take that "
         "of ai-edge-litert %s.",
         path, whole, crc, builds[0].version);
}

const char *litert_load(const char *path) {
    const char *version = version_of(path);
    void *library = library_of(path);
#define FOUND(name, arguments) \
    Litert##name = (int(*) arguments)function_of(library, "LiteRt" #name);
    LITERT_FUNCTIONS(FOUND)
    return version;
}
