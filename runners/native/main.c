/* Answer one job: `edgebench-native LIBRARY JOB.json`; without a job, say whether LIBRARY loads.
 *
 * One pass over one model by the C library of its runtime: the same job document and the same
 * result files as runners/run.py. The document it writes is read by edgebench.runner.
 */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "backend.h"
#include "inputs.h"
#include "job.h"
#include "latency.h"
#include "memory.h"
#include "outputs.h"
#include "scenario.h"
#include "scheduling.h"
#include "watch.h"

typedef struct {
    const Job *job;
    const Backend *backend;
    const char *library;
} Task;

static void add_specs(const char *name, const Spec *specs, size_t count) {
    Text text = {0};
    text_add(&text, "[");
    for (size_t index = 0; index < count; index++) {
        const Spec *spec = &specs[index];
        text_add(&text, index ? ", {\"name\": " : "{\"name\": ");
        text_quoted(&text, spec->name);
        text_add(&text, ", \"shape\": [");
        for (int axis = 0; axis < spec->rank; axis++) {
            if (axis) text_add(&text, ", ");
            if (spec->axes[axis] < 0)
                text_add(&text, "null");
            else
                text_add(&text, "%lld", (long long)spec->axes[axis]);
        }
        text_add(&text, "], \"dtype\": ");
        text_quoted(&text, spec->word);
        text_add(&text, ", \"quantization\": ");
        if (spec->is_quantized) {
            text_add(&text, "{\"scale\": ");
            text_real(&text, spec->scale);
            text_add(&text, ", \"zero_point\": %lld}}", (long long)spec->zero_point);
        } else {
            text_add(&text, "null}");
        }
    }
    text_add(&text, "]");
    answer_set(name, text);
}

/* Open the model and describe it; the time that opening took. */
static int64_t open_model(const Task *task, Model *model) {
    const Job *job = task->job;
    int64_t start = now_ns();
    *model = task->backend->open(job->model, job->threads, job->accelerator);
    int64_t spent = now_ns() - start;
    add_specs("inputs", model->inputs, model->input_count);
    add_specs("outputs", model->outputs, model->output_count);
    return spent;
}

static Tensor *first_sample(const Task *task, const Archive *archive, const Model *model) {
    Samples samples = samples_for(task->job, archive, model);
    bool was_batched;
    return sample_at(&samples, model, 0, &was_batched);
}

static Archive *read_inputs(const Job *job, Archive *archive) {
    if (!job->inputs) return NULL;
    *archive = npz_read(job->inputs);
    return archive;
}

/* Load the runtime, open the model and bind what it is asked; how long opening took. */
static int64_t opened(const Task *task, Model *model, Question *question) {
    Archive archive;
    int64_t batch;
    task->backend->load(task->library);
    const Archive *given = read_inputs(task->job, &archive);
    int64_t spent = open_model(task, model);
    Tensor *fed = batched(task->job, model, first_sample(task, given, model), &batch);
    int64_t start = now_ns();
    task->backend->prepare(fed);
    spent += now_ns() - start;
    task->backend->bind(fed);
    *question = question_of(task->job, task->backend, batch);
    return spent;
}

static void latency_pass(const Task *task) {
    Model model;
    Question question;
    Text cpus = keep_to(task->job);
    watch_start(task->job);
    int64_t load_ns = opened(task, &model, &question);
    latency_measure(&question, task->job, load_ns, cpus);
    check_batch(&question, &model);
}

static void energy_pass(const Task *task) {
    Model model;
    Question question;
    keep_to(task->job);
    watch_start(task->job);
    opened(task, &model, &question);
    energy_measure(&question, task->job);
    check_batch(&question, &model);
}

static void add_point(Text *text, const char *name, const Checkpoint *point) {
    text_add(text, "\"%s\": {\"rss_bytes\": %lld, \"pss_bytes\": %lld", name, point->rss,
             point->pss);
    long long file = point->pss - point->anonymous;
    text_add(text, ", \"anonymous_bytes\": %lld, \"file_bytes\": %lld", point->anonymous,
             file > 0 ? file : 0);
    text_add(text, ", \"private_bytes\": %lld, \"swap_bytes\": %lld, \"peak_bytes\": ",
             point->private_, point->swap);
    if (point->peak < 0)
        text_add(text, "null}");
    else
        text_add(text, "%lld}", point->peak);
}

static void answer_memory(const Checkpoint *points) {
    static const char *const names[] = {"s0", "s1", "s2", "s3", "s4"};
    Text text = {0};
    for (int index = 0; index < 5; index++) {
        text_add(&text, index ? ", " : "{");
        add_point(&text, names[index], &points[index]);
    }
    text_add(&text, "}");
    answer_set("memory", text);
}

static void memory_pass(const Task *task) {
    const Backend *backend = task->backend;
    Checkpoint points[5];
    Archive archive;
    Model model;
    if (!checkpoint(&points[0], false))
        fail("no_sensor", "This system has no /proc/self/smaps to read memory from.");
    backend->load(task->library);
    const Archive *given = read_inputs(task->job, &archive);
    if (given) archive = first_of(archive);
    checkpoint(&points[1], false);
    bool was_reset = reset_peak();
    open_model(task, &model);
    int64_t batch;
    Tensor *fed = batched(task->job, &model, first_sample(task, given, &model), &batch);
    backend->prepare(fed);
    checkpoint(&points[2], was_reset);
    was_reset = reset_peak();
    backend->bind(fed);
    backend->invoke();
    checkpoint(&points[3], was_reset);
    was_reset = reset_peak();
    invoke_steadily(backend, task->job->loop.sample_max_s);
    checkpoint(&points[4], was_reset);
    answer_memory(points);
}

static void outputs_pass(const Task *task) {
    const Job *job = task->job;
    Archive archive;
    Model model;
    task->backend->load(task->library);
    const Archive *given = read_inputs(job, &archive);
    open_model(task, &model);
    Samples samples = samples_for(job, given, &model);
    outputs_write(job->outputs, task->backend, &model, &samples);
    answer_set("accel", task->backend->placement(job->accelerator));
}

static const struct {
    const char *kind;
    void (*pass)(const Task *);
} passes[] = {
    {"latency", latency_pass},
    {"memory", memory_pass},
    {"outputs", outputs_pass},
    {"energy", energy_pass},
};

static const Backend *backend_of(const char *runtime) {
    const Backend *const all[] = {&backend_litert, &backend_onnx};
    for (size_t index = 0; index < sizeof all / sizeof *all; index++)
        if (strcmp(all[index]->runtime, runtime) == 0) return all[index];
    fail("no_runtime", "The native runner has no runtime '%s', only litert and onnxruntime.",
         runtime);
}

int main(int count, char **words) {
    if (count == 2) return library_loads(words[1]) ? 0 : 1;
    if (count != 3) {
        fprintf(stderr, "usage: edgebench-native LIBRARY [JOB.json]\n");
        return 2;
    }
    Job job = job_read(words[2]);
    answer_runtime(job.runtime);
    Task task = {&job, backend_of(job.runtime), words[1]};
    answer_runtime(task.backend->name);
    for (size_t index = 0; index < sizeof passes / sizeof *passes; index++) {
        if (strcmp(passes[index].kind, job.kind) != 0) continue;
        passes[index].pass(&task);
        Text version = {0};
        if (task.backend->version()) text_quoted(&version, task.backend->version());
        answer_set("runtime_version", version);
        answer_done();
        return 0;
    }
    fail("no_runtime", "The native runner has no pass '%s', only latency, memory, outputs, energy.",
         job.kind);
}
