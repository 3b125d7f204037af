/* libLiteRt.so of ai-edge-litert's wheel: the functions that are called, and in which builds.
 *
 * The C functions change from release to release (litert/c/ in google-ai-edge/LiteRT), and none
 * tells the version. So the file itself is looked at before it is loaded, and one that is not known
 * here is refused.
 */
#ifndef EDGEBENCH_LITERT_H
#define EDGEBENCH_LITERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"

enum { LITERT_RANK_MAX = 8 };

typedef struct {
    unsigned rank : 7, has_strides : 1;
    int32_t sizes[LITERT_RANK_MAX];
    uint32_t strides[LITERT_RANK_MAX];
} LitertLayout;

typedef struct {
    int element_type;
    LitertLayout layout;
} LitertType;

typedef struct {
    float scale;
    int64_t zero_point;
} LitertQuantization;

#define LITERT_FUNCTIONS(X)                                                                        \
    X(CreateEnvironment, (int, const void *, void **))                                      \
    X(CreateModelFromFile, (void *, const char *, void **))                                 \
    X(CreateOptions, (void **))                                                             \
    X(SetOptionsHardwareAccelerators, (void *, int))                                        \
    X(CreateOpaqueOptions, (const char *, void *, void (*)(void *), void **))               \
    X(AddOpaqueOptions, (void *, void *))                                                   \
    X(CreateCompiledModel, (void *, void *, void *, void **))                               \
    X(GetMainModelSubgraphIndex, (void *, size_t *))                                        \
    X(GetModelSubgraph, (void *, size_t, void **))                                          \
    X(GetNumModelSignatures, (void *, size_t *))                                            \
    X(GetModelSignature, (void *, size_t, void **))                                         \
    X(GetSignatureSubgraph, (void *, void **))                                              \
    X(GetNumSubgraphInputs, (void *, size_t *))                                             \
    X(GetNumSubgraphOutputs, (void *, size_t *))                                            \
    X(GetSubgraphInput, (void *, size_t, void **))                                          \
    X(GetSubgraphOutput, (void *, size_t, void **))                                         \
    X(GetNumSignatureInputs, (void *, size_t *))                                            \
    X(GetNumSignatureOutputs, (void *, size_t *))                                           \
    X(GetSignatureInputName, (void *, size_t, const char **))                               \
    X(GetSignatureOutputName, (void *, size_t, const char **))                              \
    X(GetSignatureInputTensorByIndex, (void *, size_t, void **))                            \
    X(GetSignatureOutputTensorByIndex, (void *, size_t, void **))                           \
    X(GetTensorName, (void *, const char **))                                               \
    X(GetRankedTensorType, (void *, LitertType *))                                          \
    X(GetQuantizationTypeId, (void *, int *))                                               \
    X(GetPerTensorQuantization, (void *, LitertQuantization *))                                   \
    X(CompiledModelResizeInputTensorNonStrict, (void *, size_t, size_t, const int *, size_t)) \
    X(GetCompiledModelInputTensorLayout, (void *, size_t, size_t, LitertLayout *))                \
    X(GetCompiledModelOutputTensorLayouts, (void *, size_t, size_t, LitertLayout *, bool))        \
    X(GetCompiledModelInputBufferRequirements, (void *, size_t, size_t, void **))           \
    X(GetCompiledModelOutputBufferRequirements, (void *, size_t, size_t, void **))          \
    X(CreateManagedTensorBufferFromRequirements,                                            \
      (void *, const LitertType *, void *, void **))                                        \
    X(GetTensorBufferSize, (void *, size_t *))                                              \
    X(LockTensorBuffer, (void *, void **, int))                                             \
    X(UnlockTensorBuffer, (void *))                                                         \
    X(CompiledModelIsFullyAccelerated, (void *, bool *))                                    \
    X(RunCompiledModel, (void *, size_t, size_t, void **, size_t, void **))

#define LITERT_DECLARED(name, arguments) extern int(*Litert##name) arguments;
LITERT_FUNCTIONS(LITERT_DECLARED)

/* A status that is not 0 ends the job; the library's own words are in the log. */
#define LITERT(name, ...)                                                                       \
    do {                                                                                        \
        int status = Litert##name(__VA_ARGS__);                                                 \
        if (status)                                                                             \
            fail("runtime_error", "LiteRt%s gave status %d (its words are in the log).", #name, \
                 status);                                                                       \
    } while (0)

/* Load a library that is known; its version. */
const char *litert_load(const char *path);

#endif
