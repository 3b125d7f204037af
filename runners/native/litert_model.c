#include "litert_model.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"

enum { PER_TENSOR = 1 };

/* Of the main graph: found first, and asked by all that follows. */
static void *signature;

Dtype litert_dtype(int element_type) {
    /* By LiteRtElementType. */
    static const Dtype dtypes[] = {
        [1] = DTYPE_FLOAT32, [2] = DTYPE_INT32,  [3] = DTYPE_UINT8,   [4] = DTYPE_INT64,
        [6] = DTYPE_BOOL,    [7] = DTYPE_INT16,  [9] = DTYPE_INT8,    [10] = DTYPE_FLOAT16,
        [11] = DTYPE_FLOAT64, [13] = DTYPE_UINT64, [16] = DTYPE_UINT32, [17] = DTYPE_UINT16,
    };
    bool is_known = element_type >= 0 && element_type < (int)(sizeof dtypes / sizeof *dtypes);
    return is_known ? dtypes[element_type] : DTYPE_NONE;
}

static void take_type(Spec *spec, void *tensor, LitertType *type) {
    enum { STRING = 5 };
    LITERT(GetRankedTensorType, tensor, type);
    take_dtype(spec, litert_dtype(type->element_type));
    if (spec->dtype == DTYPE_NONE)
        spec->word = type->element_type == STRING ? "string" : "tensor of another type";
    spec->rank = type->layout.rank;
    if (spec->rank > LITERT_RANK_MAX) fail("runtime_error", "'%s' has too many axes.", spec->name);
    for (int axis = 0; axis < spec->rank; axis++)
        spec->axes[axis] = type->layout.sizes[axis] < 0 ? -1 : type->layout.sizes[axis];
}

static void take_quantization(Spec *spec, void *tensor) {
    int kind;
    LITERT(GetQuantizationTypeId, tensor, &kind);
    if (kind != PER_TENSOR) return;
    LitertQuantization quantization;
    LITERT(GetPerTensorQuantization, tensor, &quantization);
    spec->is_quantized = quantization.scale != 0;
    spec->scale = quantization.scale;
    spec->zero_point = quantization.zero_point;
}

/* The name of a tensor; of two alike the later one gets a number. */
static char *name_of(const LitertSide *side, size_t index) {
    const char *name;
    LITERT(GetTensorName, side->tensors[index], &name);
    for (size_t before = 0; before < index; before++)
        if (strcmp(side->specs[before].name, name) == 0) {
            Text numbered = {0};
            text_add(&numbered, "%s#%zu", name, index);
            return numbered.bytes;
        }
    return copied(name);
}

static void *signature_tensor(int which, size_t place) {
    void *tensor;
    if (which == INPUTS)
        LITERT(GetSignatureInputTensorByIndex, signature, place, &tensor);
    else
        LITERT(GetSignatureOutputTensorByIndex, signature, place, &tensor);
    return tensor;
}

static size_t signature_count(int which) {
    size_t count;
    if (which == INPUTS)
        LITERT(GetNumSignatureInputs, signature, &count);
    else
        LITERT(GetNumSignatureOutputs, signature, &count);
    return count;
}

/* Where each tensor of the subgraph is in the signature; the job fails where the two differ. */
static void find_places(LitertSide *sides, int which) {
    LitertSide *side = &sides[which];
    size_t count = signature_count(which);
    bool *is_taken = allocated(count, sizeof *is_taken);
    for (size_t index = 0; index < side->count; index++) {
        size_t place = 0;
        while (place < count &&
               (is_taken[place] || signature_tensor(which, place) != side->tensors[index]))
            place++;
        if (place == count || count != side->count)
            fail("runtime_error", "Signature and graph differ in the tensor '%s'.",
                 side->specs[index].name);
        is_taken[place] = true;
        side->places[index] = place;
    }
    free(is_taken);
}

static void take_side(LitertSide *sides, int which, void *subgraph) {
    LitertSide *side = &sides[which];
    if (which == INPUTS)
        LITERT(GetNumSubgraphInputs, subgraph, &side->count);
    else
        LITERT(GetNumSubgraphOutputs, subgraph, &side->count);
    side->tensors = allocated(side->count, sizeof *side->tensors);
    side->types = allocated(side->count, sizeof *side->types);
    side->places = allocated(side->count, sizeof *side->places);
    side->buffers = allocated(side->count, sizeof *side->buffers);
    side->specs = allocated(side->count, sizeof *side->specs);
    for (size_t index = 0; index < side->count; index++) {
        if (which == INPUTS)
            LITERT(GetSubgraphInput, subgraph, index, &side->tensors[index]);
        else
            LITERT(GetSubgraphOutput, subgraph, index, &side->tensors[index]);
        Spec *spec = &side->specs[index];
        spec->name = name_of(side, index);
        take_type(spec, side->tensors[index], &side->types[index]);
        take_quantization(spec, side->tensors[index]);
    }
    find_places(sides, which);
}

/* Call tensors as the author of the model did, where the file has kept that. */
static void take_names(Model *model, const LitertSide *sides) {
    for (int which = 0; which < SIDES; which++)
        for (size_t index = 0; index < sides[which].count; index++) {
            const char *name;
            if (which == INPUTS)
                LITERT(GetSignatureInputName, signature, sides[which].places[index], &name);
            else
                LITERT(GetSignatureOutputName, signature, sides[which].places[index], &name);
            if (which == INPUTS) model->aliases[index] = sides[which].specs[index].name;
            sides[which].specs[index].name = copied(name);
        }
}

/* The place of the main graph's signature; how many the file has. */
static size_t find_signature(void *litert_model, void **subgraph, size_t *place) {
    size_t main_index, count;
    LITERT(GetMainModelSubgraphIndex, litert_model, &main_index);
    LITERT(GetModelSubgraph, litert_model, main_index, subgraph);
    LITERT(GetNumModelSignatures, litert_model, &count);
    for (*place = 0; *place < count; ++*place) {
        void *found;
        LITERT(GetModelSignature, litert_model, *place, &signature);
        LITERT(GetSignatureSubgraph, signature, &found);
        if (found == *subgraph) return count;
    }
    fail("runtime_error", "The model's main graph has no signature to call it by.");
}

size_t litert_describe(void *litert_model, Model *model, LitertSide sides[SIDES]) {
    void *subgraph;
    size_t place, signatures = find_signature(litert_model, &subgraph, &place);
    take_side(sides, INPUTS, subgraph);
    take_side(sides, OUTPUTS, subgraph);
    model->aliases = allocated(sides[INPUTS].count, sizeof *model->aliases);
    if (signatures == 1) take_names(model, sides);
    model->input_count = sides[INPUTS].count;
    model->output_count = sides[OUTPUTS].count;
    model->inputs = sides[INPUTS].specs;
    model->outputs = sides[OUTPUTS].specs;
    return place;
}
