/* Products with x that skip its zeros; stands below kernel.c.

   Most pixels of a handwritten digit are zero. The features fall into blocks of BLOCK, and
   of each row the blocks that hold anything else are marked, a bit for each: they alone
   are multiplied. Rows and blocks change places in a chunk's marks after the logits, so
   that the gradient finds for each block its rows. A chunk of numbers with few zeros is
   multiplied whole: two rows, or two blocks, at once load less for each product. Bytes
   would have to be made numbers twice as often for that.

   Vectors run over the features. Weights and gradient are packed as (panel, block, class,
   BLOCK), in panels of PANEL classes; the last one's unused classes are zero. */

#define PANEL 5
#define SAMPLE 4 /* rows that tell for a chunk of numbers whether to look for zeros... */
#define MOST_MARKED 0.65 /* ...which pays up to this share of blocks that hold others */

typedef REAL loose __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));
typedef int32_t ints __attribute__((vector_size(VECTOR_BYTES / sizeof(REAL) * 4)));
typedef uint64_t words __attribute__((vector_size(32), may_alias));
typedef uint64_t loose_words __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint64_t loose_word __attribute__((aligned(1), may_alias));
typedef uint32_t loose_half __attribute__((aligned(1), may_alias));

UNROLLED ptrdiff_t block_count(const problem *p) { return (p->n_in + BLOCK - 1) / BLOCK; }

/* Where n_in is no multiple of BLOCK, the last block overlaps the one before it; its
   weights are zero there. */
UNROLLED ptrdiff_t block_start(const problem *p, ptrdiff_t block)
{
    const ptrdiff_t start = block * BLOCK, last = p->n_in - BLOCK;
    return start < last ? start : last;
}

/* Numbers in a packed panel. */
UNROLLED ptrdiff_t panel_size(const problem *p) { return block_count(p) * PANEL * BLOCK; }

/* Packs the weights; returns whether all of them are finite. */
APART int pack_weights(const problem *p, REAL *packed)
{
    vec sum = {0};
    for (ptrdiff_t first = 0; first < p->n_out; first += PANEL)
        for (ptrdiff_t block = 0; block < block_count(p); block++, packed += PANEL * BLOCK) {
            const ptrdiff_t start = block_start(p, block), left = p->n_out - first;
            const ptrdiff_t skip = block * BLOCK - start;
            const REAL *w = p->W + (start + skip) * p->W_row + first * p->W_column;
            if (skip || left < PANEL)
                memset(packed, 0, PANEL * BLOCK * sizeof(REAL));
            for (ptrdiff_t k = skip; k < BLOCK; k++, w += p->W_row)
                for (ptrdiff_t c = 0; c < PANEL && c < left; c++)
                    packed[c * BLOCK + k] = w[c * p->W_column];
            for (ptrdiff_t i = 0; i < PANEL * BLOCK; i += LANES)
                sum += *(const vec *)(packed + i) * 0;
        }
    return lane_sum(sum) == 0;
}

/* Adds the packed gradients of all shares, which stand `apart` numbers from each other, in
   their order, and sets gW (n_in, n_out), for blocks from..to. */
APART void unpack_gradients(const problem *p, ptrdiff_t from, ptrdiff_t to, REAL *packed,
                             ptrdiff_t apart, REAL *gW)
{
    for (ptrdiff_t first = 0; first < p->n_out; first += PANEL)
        for (ptrdiff_t block = from; block < to; block++) {
            const ptrdiff_t start = block_start(p, block), left = p->n_out - first;
            REAL *part = packed + first / PANEL * panel_size(p) + block * PANEL * BLOCK;
            for (int t = 1; t < p->n_threads; t++)
                for (ptrdiff_t i = 0; i < PANEL * BLOCK; i += LANES)
                    *(vec *)(part + i) += *(const vec *)(part + t * apart + i);
            for (ptrdiff_t k = block * BLOCK - start; k < BLOCK; k++)
                for (ptrdiff_t c = 0; c < PANEL && c < left; c++)
                    gW[(start + k) * p->n_out + first + c] = part[c * BLOCK + k];
        }
}

/* As many features from `at` on as a vector has lanes. */
UNROLLED vec load_features(const char *at, const int is_bytes)
{
    if (!is_bytes)
        return *(const loose *)at;
#if defined(__AVX2__) && defined(__GNUC__) && !defined(__clang__) && VECTOR_BYTES == 32
    /* GCC takes a general conversion of bytes apart into single lanes. */
    typedef char v16qi __attribute__((vector_size(16)));
    typedef uint64_t v2di __attribute__((vector_size(16)));
    typedef uint32_t v4si __attribute__((vector_size(16)));
    union {
        int32_t four __attribute__((vector_size(16)));
        int32_t eight __attribute__((vector_size(32)));
        ints as_many;
    } u;
    if (sizeof(REAL) == 8)
        u.four = __builtin_ia32_pmovzxbd128((v16qi)(v4si){*(const loose_half *)at});
    else
        u.eight = __builtin_ia32_pmovzxbd256((v16qi)(v2di){*(const loose_word *)at});
    return __builtin_convertvector(u.as_many, vec) * (REAL)(1.0 / 256);
#else
    typedef uint8_t small __attribute__((vector_size(VECTOR_BYTES / sizeof(REAL))));
    small bytes;
    memcpy(&bytes, at, sizeof(bytes));
    return __builtin_convertvector(__builtin_convertvector(bytes, ints), vec) *
           (REAL)(1.0 / 256);
#endif
}

/* Marks the blocks of a row that hold anything but zeros: bit b of marks[0], of
   marks[MARK] and so on, for MARK blocks each. */
UNROLLED void mark_blocks(const problem *p, const char *row, const int is_bytes,
                          uint64_t *marks)
{
    const ptrdiff_t item = is_bytes ? 1 : sizeof(REAL), size = BLOCK * item;
    const ptrdiff_t step = size > 32 ? size : 32, per_step = step / size;
    const ptrdiff_t count = block_count(p), whole = p->n_in * item / step * per_step;
    for (ptrdiff_t block = 0; block < count; marks += MARK) {
        const ptrdiff_t first = block, end = first + MARK < count ? first + MARK : count;
        words bit = {1, 1, 1, 1}, found = {0};
        if (size < 32)
            bit = size == 8 ? (words){1, 2, 4, 8} : (words){1, 1, 2, 2};
        for (; block < end && block < whole; block += per_step, bit <<= per_step)
            for (ptrdiff_t at = block * size; at < block * size + step; at += 32)
                found |= bit & (words)(*(const loose_words *)(row + at) != 0);
        *marks = found[0] | found[1] | found[2] | found[3];
        for (; block < end; block++) {
            const char *at = row + block_start(p, block) * item;
            uint64_t any = 0;
            for (ptrdiff_t i = 0; i < size; i += 8)
                any |= *(const loose_word *)(at + i);
            *marks |= (uint64_t)(any != 0) << (block - first);
        }
    }
}

/* Marks the blocks of some rows of x, all of them where what they are to be multiplied
   with is not finite, and returns 1; returns 0 where it does not pay. */
UNROLLED int mark_rows(const problem *p, const char *x, ptrdiff_t rows, const int is_bytes,
                       int finite, uint64_t *marks)
{
    const ptrdiff_t used = p->n_in * (is_bytes ? 1 : (ptrdiff_t)sizeof(REAL));
    ptrdiff_t marked = 0;
    if (!is_bytes && !finite)
        return 0;
    for (ptrdiff_t r = 0; r < rows; r++, x += row_bytes(p)) {
        mark_blocks(p, x, is_bytes, marks + r);
        for (ptrdiff_t block = 0; !finite && block < block_count(p); block++)
            marks[block / MARK * MARK + r] |= (uint64_t)1 << block % MARK;
        for (ptrdiff_t at = 0; at < used; at += 64)
            __builtin_prefetch(x + CHUNK * row_bytes(p) + at);
        for (ptrdiff_t i = 0; r < SAMPLE && i < block_count(p); i += MARK)
            marked += __builtin_popcountll(marks[i + r]);
        if (!is_bytes && r == SAMPLE - 1 && marked > SAMPLE * MOST_MARKED * block_count(p))
            return 0;
    }
    return 1;
}

/* Turns marks[r], bit b, for `rows` rows into marks[b], bit r; sets them all where what
   they are to be multiplied with is not finite. */
static void transpose_marks(uint64_t *marks, ptrdiff_t rows, int finite)
{
    uint64_t mask = 0xffffffff;
    for (ptrdiff_t r = rows; r < MARK; r++)
        marks[r] = 0;
    for (int half = MARK / 2; half; half /= 2, mask ^= mask << half)
        for (int first = 0; first < MARK; first += 2 * half)
            for (int i = first; i < first + half; i++) {
                const uint64_t change = ((marks[i] >> half) ^ marks[i + half]) & mask;
                marks[i] ^= change << half;
                marks[i + half] ^= change;
            }
    for (ptrdiff_t b = 0; !finite && b < MARK; b++)
        marks[b] = ~(uint64_t)0 >> (MARK - rows);
}
