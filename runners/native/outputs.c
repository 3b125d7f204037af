#include "outputs.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "text.h"

/* An output over the samples so far: the shape of one, and all their bytes. */
typedef struct {
    Tensor first;
    Text rows;
} Stack;

static void push(Stack *stack, const Spec *spec, const Tensor *output, size_t sample) {
    if (sample == 0) stack->first = *output;
    bool is_same = stack->first.rank == output->rank && stack->first.dtype == output->dtype;
    for (int axis = 0; is_same && axis < output->rank; axis++)
        is_same = stack->first.shape[axis] == output->shape[axis];
    if (!is_same)
        fail("runtime_error", "Output '%s' differs in shape from sample to sample.", spec->name);
    text_bytes(&stack->rows, output->data, bytes_of(output));
}

/* Reals of a quantized output, in the arithmetic of 32 bits that numpy takes. */
static void dequantize(const Spec *spec, Tensor *values) {
    char kind = dtype_facts[values->dtype].kind;
    if (!spec->is_quantized || (kind != 'i' && kind != 'u')) return;
    size_t count = elements_of(values->shape, values->rank);
    float *reals = allocated(count, sizeof *reals), zero = (float)spec->zero_point;
    for (size_t index = 0; index < count; index++) {
        Number number = number_at(values->dtype, values->data, index);
        float level = number.kind == 'i' ? (float)number.whole : (float)number.natural;
        reals[index] = (level - zero) * (float)spec->scale;
    }
    values->data = reals;
    values->dtype = DTYPE_FLOAT32;
}

static Array stacked(const Stack *stack, const Spec *spec, size_t count, bool was_batched) {
    Array array = {.name = spec->name, .values = stack->first};
    Tensor *values = &array.values;
    int dropped = was_batched && values->rank && values->shape[0] == 1;
    values->rank = stack->first.rank - dropped + 1;
    values->shape[0] = (int64_t)count;
    memcpy(values->shape + 1, stack->first.shape + dropped,
           (size_t)(values->rank - 1) * sizeof *values->shape);
    values->data = stack->rows.bytes;
    dequantize(spec, values);
    return array;
}

static void check_kept(const Model *model) {
    for (size_t index = 0; index < model->output_count; index++)
        if (model->outputs[index].dtype != DTYPE_NONE) return;
    fail("runtime_error", "No output of this model is a tensor of numbers.");
}

void outputs_write(const char *path, const Backend *backend, const Model *model,
                   const Samples *samples) {
    Stack *stacks = allocated(model->output_count, sizeof *stacks);
    Tensor *outputs = allocated(model->output_count, sizeof *outputs);
    Array *arrays = allocated(model->output_count, sizeof *arrays);
    bool was_batched = false;
    size_t kept = 0;
    check_kept(model);
    for (size_t sample = 0; sample < samples->count; sample++) {
        Tensor *fed = sample_at(samples, model, sample, &was_batched);
        backend->prepare(fed);
        backend->bind(fed);
        backend->compute(outputs);
        for (size_t index = 0; index < model->output_count; index++)
            if (outputs[index].dtype != DTYPE_NONE)
                push(&stacks[index], &model->outputs[index], &outputs[index], sample);
        for (size_t input = 0; input < model->input_count; input++) free(fed[input].data);
        free(fed);
    }
    for (size_t index = 0; index < model->output_count; index++)
        if (outputs[index].dtype != DTYPE_NONE)
            arrays[kept++] =
                stacked(&stacks[index], &model->outputs[index], samples->count, was_batched);
    npz_write(path, arrays, kept);
}
