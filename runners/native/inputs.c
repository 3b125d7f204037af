#include "inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "generate.h"
#include "text.h"

static _Noreturn void unfit_shape(const Spec *spec, const int64_t *shape, int rank) {
    Text takes = {0}, has = {0};
    for (int axis = 0; axis < spec->rank; axis++)
        if (spec->axes[axis] >= 0)
            text_add(&takes, axis ? ", %lld" : "%lld", (long long)spec->axes[axis]);
        else
            text_add(&takes, axis ? ", %s" : "%s",
                     spec->symbols[axis] ? spec->symbols[axis] : "None");
    for (int axis = 0; axis < rank; axis++)
        text_add(&has, axis ? ", %lld" : "%lld", (long long)shape[axis]);
    fail("unsupported_input", "Input '%s' takes [%s], not a sample of shape (%s).", spec->name,
         takes.size ? takes.bytes : "", has.size ? has.bytes : "");
}

void check_shape(const Spec *spec, const int64_t *shape, int rank) {
    bool fits = rank == spec->rank;
    for (int axis = 0; fits && axis < rank; axis++)
        fits = spec->axes[axis] < 0 || spec->axes[axis] == shape[axis];
    if (!fits) unfit_shape(spec, shape, rank);
}

static void check_types(const Model *model) {
    for (size_t index = 0; index < model->input_count; index++)
        if (model->inputs[index].dtype == DTYPE_NONE)
            fail("unsupported_input", "Input '%s' is a %s; only tensors of numbers can be fed.",
                 model->inputs[index].name, model->inputs[index].word);
}

static bool is_called(const Array *array, const Spec *spec, const char *alias) {
    return strcmp(array->name, spec->name) == 0 || (alias && strcmp(array->name, alias) == 0);
}

/* The array of an input: by its name or its tensor's, or a lone one of a lone input. */
static const Array *array_of(const Archive *archive, const Model *model, size_t input) {
    if (model->input_count == 1 && archive->count == 1) return archive->arrays;
    const Spec *spec = &model->inputs[input];
    for (size_t index = archive->count; index-- > 0;)
        if (is_called(&archive->arrays[index], spec, model->aliases[input]))
            return &archive->arrays[index];
    Text names = {0};
    for (size_t index = 0; index < archive->count; index++)
        text_add(&names, index ? ", '%s'" : "'%s'", archive->arrays[index].name);
    fail("unsupported_input", "No samples for input '%s'; the file has [%s].", spec->name,
         names.size ? names.bytes : "");
}

static void check_count(const Array *array, const Samples *samples, size_t input) {
    size_t count = array->values.rank ? (size_t)array->values.shape[0] : 0;
    if (count == 0 || (input && count != samples->count))
        fail("unsupported_input",
             "The inputs differ in samples, or have none: '%s' has %zu, the first has %zu.",
             array->name, count, input ? samples->count : count);
}

static Samples arranged(const Archive *archive, const Model *model) {
    Samples samples = {.values = allocated(model->input_count, sizeof(Tensor)), .count = 1};
    for (size_t input = 0; input < model->input_count; input++) {
        const Array *array = array_of(archive, model, input);
        if (array->values.dtype == DTYPE_NONE)
            fail("unsupported_input", "Samples of %s cannot be fed to input '%s'.", array->descr,
                 model->inputs[input].name);
        check_count(array, &samples, input);
        samples.count = (size_t)array->values.shape[0];
        samples.values[input] = array->values;
    }
    Text record = {0};
    text_add(&record, "{\"source\": \"file\", \"samples\": %zu}", samples.count);
    answer_set("inputs_made", record);
    return samples;
}

Samples samples_for(const Job *job, const Archive *archive, const Model *model) {
    check_types(model);
    return archive ? arranged(archive, model) : generated(job, model);
}

static Number quantized(const Spec *spec, double real) {
    double low, high;
    bounds_of(spec->dtype, &low, &high);
    double level = nearbyint(real / spec->scale) + (double)spec->zero_point;
    return (Number){.kind = 'f', .real = level < low ? low : level > high ? high : level};
}

static void store(const Spec *spec, const Number *number, Tensor *stored, size_t index) {
    bool is_real = number->kind == 'f', is_whole_input = dtype_facts[spec->dtype].kind != 'f';
    if (is_real && is_whole_input && !isfinite(number->real))
        fail("unsupported_input",
             "The samples of input '%s' hold NaN or infinity, which %s has not.", spec->name,
             spec->word);
    Number value = is_real && is_whole_input && spec->is_quantized
                       ? quantized(spec, number->real)
                       : *number;
    if (!number_to(spec->dtype, stored->data, index, value))
        fail("unsupported_input", "The samples of input '%s' do not fit into %s.", spec->name,
             spec->word);
}

void store_all(const Spec *spec, const Tensor *values, size_t first, Tensor *stored) {
    size_t count = elements_of(stored->shape, stored->rank);
    size_t bytes = dtype_facts[values->dtype].bytes;
    if (values->dtype == spec->dtype && spec->dtype != DTYPE_BOOL) {
        if (count) memcpy(stored->data, (const char *)values->data + first * bytes, count * bytes);
        return;
    }
    for (size_t index = 0; index < count; index++) {
        Number number = number_at(values->dtype, values->data, first + index);
        store(spec, &number, stored, index);
    }
}

Tensor *sample_at(const Samples *samples, const Model *model, size_t index, bool *was_batched) {
    Tensor *fed = allocated(model->input_count, sizeof *fed);
    *was_batched = false;
    for (size_t input = 0; input < model->input_count; input++) {
        const Spec *spec = &model->inputs[input];
        const Tensor *values = &samples->values[input];
        Tensor *stored = &fed[input];
        stored->dtype = spec->dtype;
        stored->rank = values->rank - 1;
        memcpy(stored->shape, values->shape + 1, (size_t)stored->rank * sizeof *stored->shape);
        if (stored->rank == spec->rank - 1) {
            stored->shape[0] = 1;
            memcpy(stored->shape + 1, values->shape + 1,
                   (size_t)stored->rank++ * sizeof *stored->shape);
            *was_batched = true;
        }
        check_shape(spec, stored->shape, stored->rank);
        size_t count = elements_of(stored->shape, stored->rank);
        stored->data = allocated(count, dtype_facts[spec->dtype].bytes);
        store_all(spec, values, index * count, stored);
    }
    return fed;
}

Archive first_of(Archive archive) {
    Archive first = {.arrays = allocated(archive.count, sizeof(Array)), .count = archive.count};
    for (size_t index = 0; index < archive.count; index++) {
        const Array *array = &archive.arrays[index];
        Array *copy = &first.arrays[index];
        *copy = (Array){copied(array->name), copied(array->descr), array->values};
        if (array->values.dtype == DTYPE_NONE || array->values.rank == 0) continue;
        if (copy->values.shape[0] > 1) copy->values.shape[0] = 1;
        size_t bytes = bytes_of(&copy->values);
        copy->values.data = allocated(bytes, 1);
        if (bytes) memcpy(copy->values.data, array->values.data, bytes);
    }
    npz_close(&archive);
    return first;
}
