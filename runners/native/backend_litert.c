/* Models in TFLite files, by LiteRT's compiled model: XNNPACK, or the plain kernels of the CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "backend.h"
#include "litert_model.h"

enum { CPU = 1, READ = 0, WRITE = 1 };

static void *environment, *compiled;
static size_t signature_index;
static LitertSide sides[SIDES];
static Model model;
static bool is_prepared;
static Tensor *computed;
static const char *known_version;

static void load(const char *path) {
    known_version = litert_load(path);
    LITERT(CreateEnvironment, 0, NULL, &environment);
}

static void keep(void *options) { (void)options; }

static void *options_for(int threads, const char *accelerator) {
    /* The library reads them as TOML while it opens the model, and does not copy them. */
    static char words[80];
    void *options, *opaque;
    bool is_plain = strcmp(accelerator, "none") == 0;
    if (!is_plain && strcmp(accelerator, "cpu") != 0 && strcmp(accelerator, "xnnpack") != 0)
        fail("no_runtime",
             "The native runner has no accelerator '%s' for LiteRT, only cpu, xnnpack and none.",
             accelerator);
    /* Seen in 2.3.0: whatever is asked for, the plain kernels start no thread. */
    if (is_plain && threads != 1)
        fail("no_runtime",
             "LiteRT's compiled model runs its plain kernels on one thread, not on %d.", threads);
    snprintf(words, sizeof words, "num_threads = %d\n%s", threads,
             is_plain ? "kernel_mode = \"builtin\"\n" : "");
    LITERT(CreateOptions, &options);
    LITERT(SetOptionsHardwareAccelerators, options, CPU);
    LITERT(CreateOpaqueOptions, "xnnpack", words, keep, &opaque);
    LITERT(AddOpaqueOptions, options, opaque);
    return options;
}

static Model open_model(const char *path, int threads, const char *accelerator) {
    void *litert_model, *options = options_for(threads, accelerator);
    LITERT(CreateModelFromFile, environment, path, &litert_model);
    LITERT(CreateCompiledModel, environment, litert_model, options, &compiled);
    signature_index = litert_describe(litert_model, &model, sides);
    computed = allocated(model.output_count, sizeof *computed);
    return model;
}

static bool has_shape(const LitertLayout *layout, const Tensor *tensor) {
    bool is_same = (int)layout->rank == tensor->rank;
    for (int axis = 0; is_same && axis < tensor->rank; axis++)
        is_same = layout->sizes[axis] == tensor->shape[axis];
    return is_same;
}

/* Give an input its shape where it has another. */
static void resize(size_t index, const Tensor *fed) {
    size_t place = sides[INPUTS].places[index];
    LitertLayout *layout = &sides[INPUTS].types[index].layout;
    int sizes[LITERT_RANK_MAX];
    LITERT(GetCompiledModelInputTensorLayout, compiled, signature_index, place, layout);
    if (has_shape(layout, fed)) return;
    for (int axis = 0; axis < fed->rank; axis++) sizes[axis] = (int)fed->shape[axis];
    LITERT(CompiledModelResizeInputTensorNonStrict, compiled, signature_index, place, sizes,
           (size_t)fed->rank);
    for (int axis = 0; axis < fed->rank; axis++) layout->sizes[axis] = sizes[axis];
}

static void take_buffer(int which, size_t index) {
    LitertSide *side = &sides[which];
    size_t place = side->places[index];
    void *needs;
    if (which == INPUTS)
        LITERT(GetCompiledModelInputBufferRequirements, compiled, signature_index, place, &needs);
    else
        LITERT(GetCompiledModelOutputBufferRequirements, compiled, signature_index, place, &needs);
    LITERT(CreateManagedTensorBufferFromRequirements, environment, &side->types[index], needs,
           &side->buffers[place]);
}

static void take_output_layouts(void) {
    LitertLayout *layouts = allocated(model.output_count, sizeof *layouts);
    LITERT(GetCompiledModelOutputTensorLayouts, compiled, signature_index, model.output_count,
           layouts, true);
    for (size_t index = 0; index < model.output_count; index++) {
        const LitertLayout *layout = &layouts[sides[OUTPUTS].places[index]];
        for (unsigned axis = 0; axis < layout->rank; axis++)
            if (layout->sizes[axis] < 0)
                fail("runtime_error",
                     "The shape of output '%s' shows only while the model runs; the native runner "
                     "needs it before.",
                     model.outputs[index].name);
        sides[OUTPUTS].types[index].layout = *layout;
    }
    free(layouts);
}

static bool was_prepared_for(const Tensor *fed) {
    for (size_t index = 0; is_prepared && index < model.input_count; index++)
        if (!has_shape(&sides[INPUTS].types[index].layout, &fed[index])) return false;
    return is_prepared;
}

static void prepare(const Tensor *fed) {
    if (was_prepared_for(fed)) return;
    for (size_t index = 0; index < model.input_count; index++) resize(index, &fed[index]);
    take_output_layouts();
    for (size_t index = 0; index < model.input_count; index++) take_buffer(INPUTS, index);
    for (size_t index = 0; index < model.output_count; index++) take_buffer(OUTPUTS, index);
    is_prepared = true;
}

static void bind(const Tensor *fed) {
    for (size_t index = 0; index < model.input_count; index++) {
        void *buffer = sides[INPUTS].buffers[sides[INPUTS].places[index]], *memory;
        size_t bytes = bytes_of(&fed[index]), room;
        LITERT(GetTensorBufferSize, buffer, &room);
        if (room < bytes)
            fail("runtime_error", "Input '%s' of %zu bytes does not fit into the %zu of LiteRT.",
                 model.inputs[index].name, bytes, room);
        LITERT(LockTensorBuffer, buffer, &memory, WRITE);
        if (bytes) memcpy(memory, fed[index].data, bytes);
        LITERT(UnlockTensorBuffer, buffer);
    }
}

static void invoke(void) {
    LITERT(RunCompiledModel, compiled, signature_index, model.input_count, sides[INPUTS].buffers,
           model.output_count, sides[OUTPUTS].buffers);
}

static void take_output(size_t index, Tensor *output) {
    const LitertType *type = &sides[OUTPUTS].types[index];
    void *buffer = sides[OUTPUTS].buffers[sides[OUTPUTS].places[index]], *memory;
    size_t room;
    output->dtype = litert_dtype(type->element_type);
    output->rank = type->layout.rank;
    for (int axis = 0; axis < output->rank; axis++) output->shape[axis] = type->layout.sizes[axis];
    if (output->dtype == DTYPE_NONE) return;
    size_t bytes = bytes_of(output);
    LITERT(GetTensorBufferSize, buffer, &room);
    if (room < bytes)
        fail("runtime_error", "Output '%s' of %zu bytes is not in the %zu of LiteRT.",
             model.outputs[index].name, bytes, room);
    output->data = grown(output->data, bytes, 1);
    LITERT(LockTensorBuffer, buffer, &memory, READ);
    if (bytes) memcpy(output->data, memory, bytes);
    LITERT(UnlockTensorBuffer, buffer);
}

static void compute(Tensor *outputs) {
    invoke();
    for (size_t index = 0; index < model.output_count; index++) {
        take_output(index, &computed[index]);
        outputs[index] = computed[index];
    }
}

static Text placement(const char *accelerator) {
    Text text = {0};
    bool is_whole = false, is_plain = strcmp(accelerator, "none") == 0;
    LITERT(CompiledModelIsFullyAccelerated, compiled, &is_whole);
    text_add(&text, "{\"requested\": ");
    text_quoted(&text, accelerator);
    text_add(&text, ", \"effective\": %s, \"nodes_total\": null, \"nodes_accel\": null",
             is_plain ? "\"none\"" : is_whole ? "\"xnnpack\"" : "null");
    text_add(&text, ", \"partitions\": null, \"cpu_ops\": %s",
             is_whole && !is_plain ? "{}" : "null");
    text_add(&text, ", \"unknown\": \"The library tells whether all nodes are taken, "
                    "not which.\"}");
    return text;
}

static const char *version(void) { return known_version; }

const Backend backend_litert = {
    .runtime = "litert",
    .name = "litert-native",
    .load = load,
    .open = open_model,
    .prepare = prepare,
    .bind = bind,
    .invoke = invoke,
    .compute = compute,
    .placement = placement,
    .version = version,
};
