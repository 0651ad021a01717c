/* Softmax regression of a chunk of rows: the problem, vectors, softmax.

   The same text is C and C++ and serves both precisions; it stands below problem.h.
   Row i of x (n, n_in) has the logits z = x[i] W + b, n_out of them. A chunk's logits are
   kept as (class, CHUNK), one class after the other. */

#include <math.h>
#include <string.h>
#include <float.h>

/* Zen 4 (an older GCC takes it for a Zen 3) works on 64 bytes in two steps: 32 skip more
   zeros at the same speed. */
#if defined(__AVX512F__) && !defined(__znver3__) && !defined(__znver4__)
#define VECTOR_BYTES 64
#define BLOCK 16
#else
#if defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define BLOCK 8 /* features that are skipped together where they are zero */
#endif
#define CHUNK 48  /* rows; a multiple of LANES for any vector up to 64 bytes */
#define MARK 64   /* bits of a mark */
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))
#define LARGEST ((REAL)(sizeof(REAL) == 8 ? DBL_MAX : FLT_MAX))
#define ROUND_UP(size, multiple) (((size) + (multiple) - 1) / (multiple) * (multiple))

typedef REAL vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef BITS bits __attribute__((vector_size(VECTOR_BYTES), may_alias));

#define UNROLLED static inline __attribute__((always_inline))
#define APART static __attribute__((noinline)) /* has all registers for itself */

UNROLLED vec select_where(bits mask, vec yes, vec no)
{
    return (vec)(((bits)yes & mask) | ((bits)no & ~mask));
}

UNROLLED vec splat(REAL value) { return value - (vec){0}; }

/* Bytes from row to row of x. */
UNROLLED ptrdiff_t row_bytes(const problem *p)
{
    return p->x_row * (p->x_is_bytes ? 1 : (ptrdiff_t)sizeof(REAL));
}

/* Row i of x. */
UNROLLED const char *row_at(const problem *p, ptrdiff_t i)
{
    return (const char *)p->x + i * row_bytes(p);
}

/* exp(v) for v <= 0: v = k ln 2 + r with |r| <= ln(2) / 2, 2^k set in the exponent's
   bits, and the Taylor series of exp(r), whose remainder is below half an ulp. */
UNROLLED vec exp_of_negative(vec v)
{
    const int is_double = sizeof(REAL) == 8, terms = is_double ? 13 : 7;
    const int mantissa = is_double ? 52 : 23, bias = is_double ? 1023 : 127;
    const REAL shifter = (REAL)(is_double ? 6755399441055744.0 : 12582912.0);
    const REAL ln2_high = (REAL)(is_double ? 0x1.62e42fefa38p-1 : 0x1.62e4p-1);
    const REAL ln2_low = (REAL)(0.693147180559945309417 - (double)ln2_high);
    const REAL lowest = (REAL)(is_double ? -708.0 : -87.0);
    const bits underflows = v < splat(lowest);
    vec shifted = v * (REAL)1.44269504088896340736 + shifter;
    vec k = shifted - shifter;
    vec r = (v - k * ln2_high) - k * ln2_low;
    vec sum = splat(1);
    for (int term = terms; term > 0; term--)
        sum = sum * r * (REAL)(1.0 / term) + (REAL)1;
    bits exponent = ((bits)shifted - (bits)splat(shifter)) + bias;
    vec power = (vec)(exponent << mantissa);
    return (vec)((bits)(sum * power) & ~underflows);
}

/* The sum of a vector's lanes. */
UNROLLED REAL lane_sum(vec v)
{
    typedef REAL piece __attribute__((vector_size(16)));
    union {
        vec whole;
        piece part[VECTOR_BYTES / 16];
    } u = {v};
    REAL total = 0;
    for (int i = 1; i < VECTOR_BYTES / 16; i++)
        u.part[0] += u.part[i];
    for (size_t lane = 0; lane < 16 / sizeof(REAL); lane++)
        total += u.part[0][lane];
    return total;
}

/* Turns logits (class, CHUNK) into scale * softmax, and returns the loss of the rows that
   have a label: the sum of log(sum(exp(z - max))) + max - z[label]. `chosen` holds the
   last; the two large numbers meet first, lest they drown the other rows. */
static double chunk_softmax(const problem *p, ptrdiff_t rows, ptrdiff_t labelled,
                            REAL scale, const REAL *chosen, REAL *logits)
{
    double loss = 0;
    for (ptrdiff_t first = 0; first < rows; first += LANES) {
        REAL *column = logits + first;
        vec largest = *(vec *)column, sum = {0};
        double product = 1; /* of at most 16 sums from 1 to n_out: one logarithm for all */
        for (ptrdiff_t c = 1; c < p->n_out; c++) {
            vec z = *(vec *)(column + c * CHUNK);
            largest = select_where(z > largest, z, largest);
        }
        for (ptrdiff_t c = 0; c < p->n_out; c++) {
            vec *z = (vec *)(column + c * CHUNK);
            *z = exp_of_negative(*z - largest);
            sum += *z;
        }
        for (ptrdiff_t lane = 0; lane < LANES && first + lane < labelled; lane++) {
            product *= (double)sum[lane];
            loss += (double)largest[lane] - (double)chosen[first + lane];
        }
        loss += log(product);
        sum = scale / sum;
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            *(vec *)(column + c * CHUNK) *= sum;
    }
    return loss;
}

/* The classes that are the largest of their row's logits; 0 where the softmax is NaN. */
UNROLLED bits largest_class(const problem *p, const REAL *logits)
{
    vec largest = *(const vec *)logits;
    bits best = {0}, lost = largest != largest;
    for (ptrdiff_t c = 1; c < p->n_out; c++) {
        const vec z = *(const vec *)(logits + c * CHUNK);
        const bits above = z > largest;
        lost |= z != z;
        largest = select_where(above, z, largest);
        best = (best & ~above) | (above & ((bits){0} + (BITS)c));
    }
    return best & ~(lost | (largest > splat(LARGEST)));
}

/* Writes values (class, CHUNK) times `factor` to (n, n_out), from row `first` on. */
static void write_out(const problem *p, ptrdiff_t first, ptrdiff_t rows,
                      const REAL *values, REAL factor, REAL *to)
{
    to += first * p->n_out;
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            *to++ = values[c * CHUNK + r] * factor;
}
