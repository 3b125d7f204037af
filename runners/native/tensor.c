#include "tensor.h"

#include <math.h>
#include <string.h>

#include "answer.h"

const DtypeFacts dtype_facts[DTYPES] = {
    [DTYPE_NONE] = {"", "", 0, 0},
    [DTYPE_BOOL] = {"bool", "|b1", 'b', 1},
    [DTYPE_INT8] = {"int8", "|i1", 'i', 1},
    [DTYPE_INT16] = {"int16", "<i2", 'i', 2},
    [DTYPE_INT32] = {"int32", "<i4", 'i', 4},
    [DTYPE_INT64] = {"int64", "<i8", 'i', 8},
    [DTYPE_UINT8] = {"uint8", "|u1", 'u', 1},
    [DTYPE_UINT16] = {"uint16", "<u2", 'u', 2},
    [DTYPE_UINT32] = {"uint32", "<u4", 'u', 4},
    [DTYPE_UINT64] = {"uint64", "<u8", 'u', 8},
    [DTYPE_FLOAT16] = {"float16", "<f2", 'f', 2},
    [DTYPE_FLOAT32] = {"float32", "<f4", 'f', 4},
    [DTYPE_FLOAT64] = {"float64", "<f8", 'f', 8},
};

size_t elements_of(const int64_t *shape, int rank) {
    size_t elements = 1;
    for (int axis = 0; axis < rank; axis++) {
        bool is_too_many = shape[axis] < 0 || shape[axis] > (int64_t)1 << 40;
        if (is_too_many || __builtin_mul_overflow(elements, (size_t)shape[axis], &elements) ||
            elements > (size_t)1 << 40)
            fail("unsupported_input", "An axis of %lld makes a tensor that nobody can hold.",
                 (long long)shape[axis]);
    }
    return elements;
}

size_t bytes_of(const Tensor *tensor) {
    return elements_of(tensor->shape, tensor->rank) * dtype_facts[tensor->dtype].bytes;
}

static double half_to_real(uint16_t half) {
    int exponent = (half >> 10) & 0x1F, fraction = half & 0x3FF;
    double value;
    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    else if (exponent)
        value = ldexp(1024 + fraction, exponent - 25);
    else
        value = ldexp(fraction, -24);
    return half & 0x8000 ? -value : value;
}

/* Rounded to the nearest, ties to even, as IEEE 754 and numpy have it. */
static uint16_t real_to_half(double real) {
    uint16_t sign = signbit(real) ? 0x8000 : 0;
    double size = fabs(real);
    if (isnan(real)) return sign | 0x7E00;
    if (size >= 65520.0) return sign | 0x7C00;
    int exponent = 0;
    frexp(size, &exponent);
    if (size == 0 || exponent < -13) return (uint16_t)(sign | (int)nearbyint(ldexp(size, 24)));
    int fraction = (int)nearbyint(ldexp(size, 11 - exponent)); /* 1024 to 2048 */
    return (uint16_t)(sign + ((exponent + 13) << 10) + fraction);
}

#define READ(type, field, letter)                             \
    {                                                         \
        type value;                                           \
        memcpy(&value, at, sizeof value);                     \
        return (Number){.kind = letter, .field = value};      \
    }

Number number_at(Dtype dtype, const void *data, size_t index) {
    const char *at = (const char *)data + index * dtype_facts[dtype].bytes;
    switch (dtype) {
        case DTYPE_BOOL: return (Number){.kind = 'u', .natural = *at != 0};
        case DTYPE_INT8: READ(int8_t, whole, 'i')
        case DTYPE_INT16: READ(int16_t, whole, 'i')
        case DTYPE_INT32: READ(int32_t, whole, 'i')
        case DTYPE_INT64: READ(int64_t, whole, 'i')
        case DTYPE_UINT8: READ(uint8_t, natural, 'u')
        case DTYPE_UINT16: READ(uint16_t, natural, 'u')
        case DTYPE_UINT32: READ(uint32_t, natural, 'u')
        case DTYPE_UINT64: READ(uint64_t, natural, 'u')
        case DTYPE_FLOAT32: READ(float, real, 'f')
        case DTYPE_FLOAT64: READ(double, real, 'f')
        case DTYPE_FLOAT16: {
            uint16_t half;
            memcpy(&half, at, sizeof half);
            return (Number){.kind = 'f', .real = half_to_real(half)};
        }
        default: return (Number){.kind = 'u'};
    }
}

static void store_real(Dtype dtype, void *at, Number number) {
    double real = number.kind == 'f'   ? number.real
                  : number.kind == 'i' ? (double)number.whole
                                       : (double)number.natural;
    /* Integers straight to a float: by way of a double they would be rounded twice. */
    float narrow = number.kind == 'f'   ? (float)number.real
                   : number.kind == 'i' ? (float)number.whole
                                        : (float)number.natural;
    if (dtype == DTYPE_FLOAT64) {
        memcpy(at, &real, sizeof real);
    } else if (dtype == DTYPE_FLOAT32) {
        memcpy(at, &narrow, sizeof narrow);
    } else {
        uint16_t half = real_to_half(number.kind == 'f' ? real : (double)narrow);
        memcpy(at, &half, sizeof half);
    }
}

/* Any number as one of 64 bits with a sign or without; false where it is neither. */
static bool made_whole(Number *number) {
    if (number->kind == 'i' && number->whole >= 0)
        *number = (Number){.kind = 'u', .natural = (uint64_t)number->whole};
    if (number->kind != 'f') return true;
    double real = number->real;
    if (!isfinite(real) || real != trunc(real)) return false;
    if (real < -9223372036854775808.0 || real >= 18446744073709551616.0) return false;
    *number = real < 0 ? (Number){.kind = 'i', .whole = (int64_t)real}
                       : (Number){.kind = 'u', .natural = (uint64_t)real};
    return true;
}

bool number_to(Dtype dtype, void *data, size_t index, Number number) {
    size_t bytes = dtype_facts[dtype].bytes;
    char kind = dtype_facts[dtype].kind, *at = (char *)data + index * bytes;
    if (kind == 'f') return store_real(dtype, at, number), true;
    if (!made_whole(&number)) return false;
    uint64_t most = kind == 'b' ? 1 : UINT64_MAX >> (64 - 8 * bytes + (kind == 'i'));
    if (number.kind == 'i') {
        int64_t least = kind == 'i' ? -(int64_t)(most)-1 : 0;
        if (number.whole < least) return false;
        number.natural = (uint64_t)number.whole;
    } else if (number.natural > most) {
        return false;
    }
    /* The low bytes, on machines that have them first: all that the runtimes' wheels are for. */
    memcpy(at, &number.natural, bytes);
    return true;
}

void bounds_of(Dtype dtype, double *low, double *high) {
    int bits = (int)(8 * dtype_facts[dtype].bytes);
    bool is_signed = dtype_facts[dtype].kind == 'i';
    *low = is_signed ? -ldexp(1, bits - 1) : 0;
    *high = ldexp(1, is_signed ? bits - 1 : bits) - 1;
}
