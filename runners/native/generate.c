#include "generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "random.h"
#include "text.h"

/* More than one sample is to be had only of inputs that are small: they are sent to every board. */
enum { GENERATED_BYTES_MAX = 8000000 };

typedef struct {
    double low, high;
} Range;

/* A member of the job's shapes or ranges by the input's name or its tensor's. */
static const Json *declared(const Json *all, const Model *model, size_t input) {
    const Json *found = json_member(all, model->inputs[input].name);
    const char *alias = model->aliases[input];
    if (!found && alias) found = json_member(all, alias);
    if (found && found->kind != JSON_ARRAY)
        fail("runtime_error", "What the job declares for input '%s' is no list.",
             model->inputs[input].name);
    return found;
}

static void check_names(const Json *shapes, const Model *model) {
    for (size_t index = 0; index < shapes->count; index++) {
        const char *name = shapes->names[index];
        bool is_known = false;
        for (size_t input = 0; input < model->input_count; input++)
            is_known |= strcmp(name, model->inputs[input].name) == 0 ||
                        (model->aliases[input] && strcmp(name, model->aliases[input]) == 0);
        if (!is_known)
            fail("unsupported_input", "A shape is given for '%s', which is no input.", name);
    }
}

static void take_shape(const Json *given, const Spec *spec, Tensor *values) {
    if (given->count >= RANK_MAX)
        fail("unsupported_input", "The shape of input '%s' has too many axes.", spec->name);
    values->rank = (int)given->count;
    for (size_t axis = 0; axis < given->count; axis++)
        values->shape[axis] = whole_at(given, axis, "shapes");
    check_shape(spec, values->shape, values->rank);
}

/* What a free axis of this name got at the inputs whose shapes are given; 1 where none did. */
static int64_t size_of_symbol(const char *symbol, const Model *model, const Tensor *values,
                              const bool *is_given) {
    int64_t size = -1;
    for (size_t input = 0; symbol && input < model->input_count; input++) {
        const Spec *spec = &model->inputs[input];
        for (int axis = 0; is_given[input] && axis < spec->rank; axis++) {
            if (!spec->symbols[axis] || strcmp(spec->symbols[axis], symbol) != 0) continue;
            if (size >= 0 && size != values[input].shape[axis])
                fail("unsupported_input", "Axis '%s' is given as %lld and as %lld.", symbol,
                     (long long)size, (long long)values[input].shape[axis]);
            size = values[input].shape[axis];
        }
    }
    return size >= 0 ? size : 1;
}

static Tensor *resolved(const Job *job, const Model *model) {
    Tensor *values = allocated(model->input_count, sizeof *values);
    bool *is_given = allocated(model->input_count, sizeof *is_given);
    check_names(job->shapes, model);
    for (size_t input = 0; input < model->input_count; input++) {
        const Json *given = declared(job->shapes, model, input);
        is_given[input] = given != NULL;
        if (given) take_shape(given, &model->inputs[input], &values[input]);
    }
    for (size_t input = 0; input < model->input_count; input++) {
        const Spec *spec = &model->inputs[input];
        for (int axis = 0; axis < spec->rank; axis++) {
            int64_t size = size_of_symbol(spec->symbols[axis], model, values, is_given);
            if (!is_given[input])
                values[input].shape[axis] = spec->axes[axis] >= 0 ? spec->axes[axis] : size;
        }
        values[input].rank = spec->rank;
        values[input].dtype = spec->dtype;
    }
    free(is_given);
    return values;
}

/* Images and quantized bytes fill their range; every other integer is likely an id or a length. */
static Range own_range(const Spec *spec) {
    Range range = {0, 1};
    double low, high;
    if (dtype_facts[spec->dtype].kind == 'f') return range;
    bounds_of(spec->dtype, &low, &high);
    if (spec->is_quantized)
        return (Range){spec->scale * (low - (double)spec->zero_point),
                       spec->scale * (high - (double)spec->zero_point)};
    if (dtype_facts[spec->dtype].bytes == 1 && spec->dtype != DTYPE_BOOL) return (Range){low, high};
    return range;
}

static Range range_of(const Job *job, const Model *model, size_t input) {
    const Json *given = declared(job->ranges, model, input);
    if (!given) return own_range(&model->inputs[input]);
    return (Range){real_at(given, 0, "ranges"), real_at(given, 1, "ranges")};
}

static void check_range(const Spec *spec, Range range) {
    bool is_real = dtype_facts[spec->dtype].kind == 'f' || spec->is_quantized;
    double size = fmax(fabs(range.low), fabs(range.high));
    if (range.low > range.high || !isfinite(range.high - range.low) || (!is_real && size > 0x1p62))
        fail("unsupported_input", "Input '%s' cannot be drawn from %g to %g.", spec->name,
             range.low, range.high);
}

/* Values of one input as its model stores them, `count` samples of its shape. */
static Tensor drawn(const Spec *spec, Range range, Random random, const Tensor *sample,
                    size_t count) {
    bool is_real = dtype_facts[spec->dtype].kind == 'f' || spec->is_quantized;
    Tensor values = {.dtype = is_real ? DTYPE_FLOAT64 : DTYPE_INT64, .rank = sample->rank + 1};
    check_range(spec, range);
    values.shape[0] = (int64_t)count;
    memcpy(values.shape + 1, sample->shape, (size_t)sample->rank * sizeof *sample->shape);
    size_t elements = elements_of(values.shape, values.rank);
    values.data = allocated(elements, 8);
    for (size_t index = 0; index < elements; index++)
        if (is_real)
            ((double *)values.data)[index] = random_real(&random, range.low, range.high);
        else
            ((int64_t *)values.data)[index] =
                random_whole(&random, (int64_t)range.low, (int64_t)range.high);
    Tensor stored = values;
    stored.dtype = spec->dtype;
    stored.data = allocated(elements, dtype_facts[spec->dtype].bytes);
    store_all(spec, &values, 0, &stored);
    free(values.data);
    return stored;
}

static size_t affordable(const Job *job, const Model *model, const Tensor *values) {
    size_t bytes = 0;
    for (size_t input = 0; input < model->input_count; input++) bytes += bytes_of(&values[input]);
    size_t most = GENERATED_BYTES_MAX / (bytes ? bytes : 1);
    size_t count = (size_t)job->generate < most ? (size_t)job->generate : most;
    return count ? count : 1;
}

static void add_record(Text *record, const Spec *spec, const Tensor *values, Range range) {
    text_quoted(record, spec->name);
    text_add(record, ": {\"shape\": [");
    for (int axis = 1; axis < values->rank; axis++)
        text_add(record, axis > 1 ? ", %lld" : "%lld", (long long)values->shape[axis]);
    text_add(record, "], \"low\": ");
    text_real(record, range.low);
    text_add(record, ", \"high\": ");
    text_real(record, range.high);
    text_add(record, "}");
}

static void save(const Job *job, const Model *model, const Samples *samples) {
    Array *arrays = allocated(model->input_count, sizeof *arrays);
    for (size_t input = 0; input < model->input_count; input++)
        arrays[input] =
            (Array){.name = model->inputs[input].name, .values = samples->values[input]};
    npz_write(job->save_inputs, arrays, model->input_count);
    free(arrays);
}

Samples generated(const Job *job, const Model *model) {
    Samples samples = {.values = resolved(job, model)};
    Text record = {0};
    samples.count = affordable(job, model, samples.values);
    text_add(&record, "{\"source\": \"generated\", \"seed\": %lld, \"samples\": %zu, \"inputs\": {",
             (long long)job->seed, model->input_count ? samples.count : 1);
    for (size_t input = 0; input < model->input_count; input++) {
        const Spec *spec = &model->inputs[input];
        Range range = range_of(job, model, input);
        /* A stream for each input: one that changes does not change the others. */
        Random random = random_of((uint64_t)job->seed, (uint32_t)input);
        samples.values[input] = drawn(spec, range, random, &samples.values[input], samples.count);
        if (input) text_add(&record, ", ");
        add_record(&record, spec, &samples.values[input], range);
    }
    text_add(&record, "}}");
    answer_set("inputs_made", record);
    if (job->save_inputs) save(job, model, &samples);
    return samples;
}
