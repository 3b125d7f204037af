/* Models in ONNX files, by libonnxruntime.so of onnxruntime's wheel.
 *
 * The library hands out a table of functions whose order is promised never to change
 * (include/onnxruntime/core/session/onnxruntime_c_api.h); the places below are those of version
 * 1.17, API 17, and every later library serves them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "backend.h"

enum {
    API_VERSION = 17,
    LOG_ERRORS = 3,
    SEQUENTIAL = 0,
    ARENA = 1,
    MEMORY_DEFAULT = 0,
    TENSOR = 1
};

typedef void *Status;

#define PLACES(X)                                                                               \
    X(const char *, message_of, 2, (Status))                                                    \
    X(Status, create_env, 3, (int, const char *, void **))                                      \
    X(Status, create_session, 7, (void *, const char *, void *, void **))                       \
    X(Status, run, 9,                                                                           \
      (void *, const void *, const char *const *, void *const *, size_t, const char *const *,   \
       size_t, void **))                                                                        \
    X(Status, create_options, 10, (void **))                                                    \
    X(Status, set_execution_mode, 13, (void *, int))                                            \
    X(Status, set_log_severity, 22, (void *, int))                                              \
    X(Status, set_intra_op_threads, 24, (void *, int))                                          \
    X(Status, set_inter_op_threads, 25, (void *, int))                                          \
    X(Status, count_inputs, 30, (const void *, size_t *))                                       \
    X(Status, count_outputs, 31, (const void *, size_t *))                                      \
    X(Status, input_type, 33, (const void *, size_t, void **))                                  \
    X(Status, output_type, 34, (const void *, size_t, void **))                                 \
    X(Status, input_name, 36, (const void *, size_t, void *, char **))                          \
    X(Status, output_name, 37, (const void *, size_t, void *, char **))                         \
    X(Status, create_tensor, 49,                                                                \
      (const void *, void *, size_t, const int64_t *, size_t, int, void **))                    \
    X(Status, data_of, 51, (void *, void **))                                                   \
    X(Status, tensor_info_of, 55, (const void *, const void **))                                \
    X(Status, kind_of_type, 56, (const void *, int *))                                          \
    X(Status, element_type_of, 60, (const void *, int *))                                       \
    X(Status, count_axes, 61, (const void *, size_t *))                                         \
    X(Status, axes_of, 62, (const void *, int64_t *, size_t))                                   \
    X(Status, symbols_of, 63, (const void *, const char **, size_t))                            \
    X(Status, info_of, 65, (const void *, void **))                                             \
    X(Status, kind_of_value, 67, (const void *, int *))                                         \
    X(Status, cpu_memory, 69, (int, int, void **))                                              \
    X(Status, default_allocator, 78, (void **))                                                 \
    X(void, release_value, 96, (void *))                                                        \
    X(void, release_type, 98, (void *))                                                         \
    X(void, release_info, 99, (void *))

#define DECLARED(type, name, place, arguments) static type(*name) arguments;
PLACES(DECLARED)

typedef struct {
    const Function *(*table)(uint32_t);
    const char *(*version)(void);
} Base;

static const Base *base;
static void *environment, *session, *allocator, *memory;
static Model model;
static const char **input_names, **output_names;
static void **input_values, **output_values;

/* By ONNXTensorElementDataType. */
static const Dtype dtypes[] = {
    DTYPE_NONE, DTYPE_FLOAT32, DTYPE_UINT8,   DTYPE_INT8,    DTYPE_UINT16, DTYPE_INT16,
    DTYPE_INT32, DTYPE_INT64,  DTYPE_NONE,    DTYPE_BOOL,    DTYPE_FLOAT16, DTYPE_FLOAT64,
    DTYPE_UINT32, DTYPE_UINT64,
};
static const char *const words[] = {
    [0] = "tensor(undefined)", [8] = "string", [14] = "tensor(complex64)",
    [15] = "tensor(complex128)", [16] = "tensor(bfloat16)",
};
static const char *const kinds[] = {"unknown", "tensor",       "sequence", "map",
                                    "opaque",  "sparsetensor", "optional"};

static void check(Status status) {
    if (status) fail("runtime_error", "onnxruntime: %s", message_of(status));
}

static void load(const char *library) {
    /* The wheels for Linux write a database and start an uploader from 1.29 on. */
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    const Base *(*find)(void) = (const Base *(*)(void))function_of(library_of(library),
                                                                   "OrtGetApiBase");
    base = find();
    const Function *table = base->table(API_VERSION);
    if (!table)
        fail("no_runtime", "onnxruntime %s is older than 1.17, whose functions are called here.",
             base->version());
#define FOUND(type, name, place, arguments) name = (type(*) arguments)table[place];
    PLACES(FOUND)
    check(create_env(LOG_ERRORS, "edgebench", &environment));
}

static Dtype dtype_of(int type) {
    bool is_known = type >= 0 && type < (int)(sizeof dtypes / sizeof *dtypes);
    return is_known ? dtypes[type] : DTYPE_NONE;
}

static void take_axes(Spec *spec, const void *info) {
    const char *symbols[RANK_MAX];
    size_t rank;
    check(count_axes(info, &rank));
    if (rank >= RANK_MAX)
        fail("runtime_error", "'%s' has %zu axes; this runner holds %d.", spec->name, rank,
             RANK_MAX - 1);
    check(axes_of(info, spec->axes, rank));
    check(symbols_of(info, symbols, rank));
    spec->rank = (int)rank;
    for (size_t axis = 0; axis < rank; axis++)
        if (spec->axes[axis] < 0 && *symbols[axis]) spec->symbols[axis] = copied(symbols[axis]);
}

static void take_type(Spec *spec, void *type) {
    int kind, element;
    const void *info;
    check(kind_of_type(type, &kind));
    if (kind != TENSOR) {
        bool is_known = kind >= 0 && kind < (int)(sizeof kinds / sizeof *kinds);
        spec->word = kinds[is_known ? kind : 0];
        return;
    }
    check(tensor_info_of(type, &info));
    check(element_type_of(info, &element));
    take_dtype(spec, dtype_of(element));
    if (spec->dtype == DTYPE_NONE) {
        bool is_known = element >= 0 && element < (int)(sizeof words / sizeof *words);
        spec->word = is_known && words[element] ? words[element] : "tensor of an unknown type";
    }
    take_axes(spec, info);
}

/* Specs of all inputs or outputs, by the functions that tell of them. */
static Spec *specs_of(size_t count, Status (*name_of)(const void *, size_t, void *, char **),
                      Status (*type_of)(const void *, size_t, void **)) {
    Spec *specs = allocated(count, sizeof *specs);
    for (size_t index = 0; index < count; index++) {
        void *type;
        check(name_of(session, index, allocator, &specs[index].name));
        check(type_of(session, index, &type));
        take_type(&specs[index], type);
        release_type(type);
    }
    return specs;
}

static Model open_model(const char *path, int threads, const char *accelerator) {
    void *options;
    if (strcmp(accelerator, "cpu") != 0)
        fail("no_runtime", "The native runner has no accelerator '%s' for onnxruntime, only cpu.",
             accelerator);
    check(create_options(&options));
    check(set_intra_op_threads(options, threads));
    check(set_inter_op_threads(options, 1));
    check(set_execution_mode(options, SEQUENTIAL));
    check(set_log_severity(options, LOG_ERRORS));
    check(create_session(environment, path, options, &session));
    check(default_allocator(&allocator));
    check(cpu_memory(ARENA, MEMORY_DEFAULT, &memory));
    check(count_inputs(session, &model.input_count));
    check(count_outputs(session, &model.output_count));
    model.inputs = specs_of(model.input_count, input_name, input_type);
    model.outputs = specs_of(model.output_count, output_name, output_type);
    model.aliases = allocated(model.input_count, sizeof *model.aliases);
    input_names = allocated(model.input_count, sizeof *input_names);
    output_names = allocated(model.output_count, sizeof *output_names);
    input_values = allocated(model.input_count, sizeof *input_values);
    output_values = allocated(model.output_count, sizeof *output_values);
    for (size_t index = 0; index < model.input_count; index++)
        input_names[index] = model.inputs[index].name;
    for (size_t index = 0; index < model.output_count; index++)
        output_names[index] = model.outputs[index].name;
    return model;
}

/* A session takes shapes as they come. */
static void prepare(const Tensor *fed) { (void)fed; }

static int element_type(Dtype dtype) {
    int type = 0;
    while (dtypes[type] != dtype) type++;
    return type;
}

static void bind(const Tensor *fed) {
    for (size_t index = 0; index < model.input_count; index++) {
        const Tensor *tensor = &fed[index];
        if (input_values[index]) release_value(input_values[index]);
        check(create_tensor(memory, tensor->data, bytes_of(tensor), tensor->shape,
                            (size_t)tensor->rank, element_type(tensor->dtype),
                            &input_values[index]));
    }
}

static void forget_outputs(void) {
    for (size_t index = 0; index < model.output_count; index++) {
        if (output_values[index]) release_value(output_values[index]);
        output_values[index] = NULL;
    }
}

static void run_once(void) {
    check(run(session, NULL, input_names, input_values, model.input_count, output_names,
              model.output_count, output_values));
}

/* The outputs are made anew and given back each time, as by the runner in Python. */
static void invoke(void) {
    run_once();
    forget_outputs();
}

static void take_output(size_t index, Tensor *output) {
    void *info;
    int kind, element;
    size_t rank;
    *output = (Tensor){.dtype = DTYPE_NONE};
    if (model.outputs[index].dtype == DTYPE_NONE) return;
    if (!output_values[index])
        fail("runtime_error", "Output '%s' is None, no tensor.", output_names[index]);
    check(kind_of_value(output_values[index], &kind));
    if (kind != TENSOR)
        fail("runtime_error", "Output '%s' is no tensor.", output_names[index]);
    check(info_of(output_values[index], &info));
    check(element_type_of(info, &element));
    check(count_axes(info, &rank));
    if (rank >= RANK_MAX || dtype_of(element) == DTYPE_NONE)
        fail("runtime_error", "Output '%s' has %zu axes of type %d.", output_names[index], rank,
             element);
    check(axes_of(info, output->shape, rank));
    release_info(info);
    output->rank = (int)rank;
    output->dtype = dtype_of(element);
    check(data_of(output_values[index], &output->data));
}

static void compute(Tensor *outputs) {
    forget_outputs();
    run_once();
    for (size_t index = 0; index < model.output_count; index++)
        take_output(index, &outputs[index]);
}

/* Of the CPU alone nothing is in doubt. */
static Text placement(const char *accelerator) {
    Text text = {0};
    text_add(&text, "{\"requested\": ");
    text_quoted(&text, accelerator);
    text_add(&text, ", \"effective\": \"cpu\", \"nodes_total\": null, \"nodes_accel\": null, "
                    "\"partitions\": null, \"cpu_ops\": null, "
                    "\"unknown\": \"The native runner does not ask for the nodes.\"}");
    return text;
}

static const char *version(void) { return base->version(); }

const Backend backend_onnx = {
    .runtime = "onnxruntime",
    .name = "onnxruntime-native",
    .load = load,
    .open = open_model,
    .prepare = prepare,
    .bind = bind,
    .invoke = invoke,
    .compute = compute,
    .placement = placement,
    .version = version,
};
