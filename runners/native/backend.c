#include "backend.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"

void *library_of(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("no_runtime", "The runtime cannot be loaded: %s.", dlerror());
    return library;
}

bool library_loads(const char *path) {
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL)) return true;
    fprintf(stderr, "%s\n", dlerror());
    return false;
}

Function function_of(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail("no_runtime", "The runtime's library has no function %s.", name);
    Function function;
    /* ISO C knows no way from the one to the other, POSIX promises that they are alike. */
    memcpy(&function, &found, sizeof function);
    return function;
}

void take_dtype(Spec *spec, Dtype dtype) {
    spec->dtype = dtype;
    spec->word = dtype_facts[dtype].name;
}
