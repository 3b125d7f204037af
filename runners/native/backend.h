/* A runtime's C library: how a model is opened, fed and run. One process has one model. */
#ifndef EDGEBENCH_BACKEND_H
#define EDGEBENCH_BACKEND_H

#include "tensor.h"
#include "text.h"

typedef struct {
    size_t input_count, output_count;
    Spec *inputs, *outputs;
    char **aliases; /* of each input, the name of its tensor where that is another; or NULL */
} Model;

/* Every function ends in a failed job where the library says no. */
typedef struct {
    const char *runtime; /* in the job */
    const char *name;    /* in the answer */
    void (*load)(const char *library);
    Model (*open)(const char *path, int threads, const char *accelerator);
    /* Allocate for inputs of these shapes; nothing happens where that was done for them. */
    void (*prepare)(const Tensor *fed);
    /* Set the inputs that `invoke` runs on. */
    void (*bind)(const Tensor *fed);
    void (*invoke)(void);
    /* Run on the bound inputs; outputs in the model's order, DTYPE_NONE where one is no tensor of
     * numbers. They are the library's, until the next call. */
    void (*compute)(Tensor *outputs);
    /* Where the nodes ran, as JSON; asked after a `compute`. */
    Text (*placement)(const char *accelerator);
    /* The version of the library; NULL where it does not say. */
    const char *(*version)(void);
} Backend;

extern const Backend backend_onnx, backend_litert;

/* Any function: cast to what it is before it is called. */
typedef void (*Function)(void);

/* Whether a library loads here at all; else why not, on the standard error. */
bool library_loads(const char *path);

/* A library, and a function of it; the job fails where there is none. */
void *library_of(const char *path);
Function function_of(void *library, const char *name);

/* What numpy calls an element type, and that name as the spec's word. */
void take_dtype(Spec *spec, Dtype dtype);

#endif
