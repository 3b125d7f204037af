#include "scenario.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "scheduling.h"
#include "text.h"

static bool is_free(const Spec *specs, size_t count) {
    for (size_t index = 0; index < count; index++)
        if (specs[index].rank == 0 || specs[index].axes[0] >= 0) return false;
    return true;
}

static bool is_same(const char *one, const char *other) {
    return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool is_batch(const Model *model, const Tensor *fed) {
    if (!is_free(model->inputs, model->input_count) || !is_free(model->outputs, model->output_count))
        return false;
    for (size_t index = 0; index < model->input_count; index++) {
        if (fed[index].rank == 0 || fed[index].shape[0] != 1) return false;
        if (!is_same(model->inputs[index].symbols[0], model->inputs[0].symbols[0])) return false;
    }
    return model->input_count > 0;
}

Tensor *batched(const Job *job, const Model *model, Tensor *fed, int64_t *batch) {
    *batch = 1;
    if (job->scenario.samples == 1 || !is_batch(model, fed)) return fed;
    *batch = job->scenario.samples;
    for (size_t index = 0; index < model->input_count; index++) {
        size_t bytes = bytes_of(&fed[index]);
        fed[index].shape[0] = *batch;
        char *whole = allocated(elements_of(fed[index].shape, fed[index].rank),
                                dtype_facts[fed[index].dtype].bytes);
        for (int64_t sample = 0; sample < *batch && bytes; sample++)
            memcpy(whole + (size_t)sample * bytes, fed[index].data, bytes);
        free(fed[index].data);
        fed[index].data = whole;
    }
    return fed;
}

Question question_of(const Job *job, const Backend *backend, int64_t batch) {
    /* Of `offline` a query is what an invocation takes, be it one. */
    bool is_multi = strcmp(job->scenario.kind, "multi") == 0;
    int64_t inferences = is_multi ? job->scenario.samples : batch;
    return (Question){
        .backend = backend,
        .batch = batch,
        .inferences = inferences,
        .invokes = inferences / batch,
        .rate_hz = job->scenario.rate_hz,
    };
}

void ask(const Question *question, int64_t queries) {
    for (int64_t left = queries * question->invokes; left > 0; left--) question->backend->invoke();
}

void check_batch(const Question *question, const Model *model) {
    if (question->batch == 1) return;
    Tensor *outputs = allocated(model->output_count, sizeof *outputs);
    question->backend->compute(outputs);
    for (size_t index = 0; index < model->output_count; index++) {
        const Tensor *found = &outputs[index];
        if (found->rank > 0 && found->shape[0] == question->batch) continue;
        Text shape = {0};
        for (int axis = 0; axis < found->rank; axis++)
            text_add(&shape, axis ? ", %lld" : "%lld", (long long)found->shape[axis]);
        fail("unsupported_input",
             "Output '%s' of a batch of %lld samples has the shape (%s): the free first axis of "
             "this model is no batch. Give it a size by --shape.",
             model->outputs[index].name, (long long)question->batch, shape.size ? shape.bytes : "");
    }
    free(outputs);
}

static int by_time(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

size_t paced(const Question *question, int64_t *samples, size_t capacity, Limits limits,
             Paced *told) {
    double period_ns = 1e9 / question->rate_hz;
    int64_t *woke = allocated(capacity, sizeof *woke);
    /* Written once over, so that no page fault falls into a latency. */
    memset(woke, 1, capacity * sizeof *woke);
    int64_t begin = now_ns(), turn = 0;
    size_t count = 0;
    *told = (Paced){0};
    while (count < capacity) {
        int64_t release = begin + (int64_t)((double)turn * period_ns);
        bool is_enough = release >= limits.enough && (int64_t)count >= limits.least;
        if (release >= limits.stop || is_enough) break;
        sleep_until(release);
        woke[count] = now_ns() - release;
        ask(question, 1);
        int64_t end = now_ns();
        samples[count++] = end - release;
        int64_t following = (int64_t)((double)(end - begin) / period_ns) + 1;
        if (following <= turn) following = turn + 1;
        if (following > turn + 1) told->missed += following - turn;
        turn = following;
    }
    told->due = turn;
    qsort(woke, count, sizeof *woke, by_time);
    if (count) told->wake_ns = woke[count / 2];
    free(woke);
    return count;
}
