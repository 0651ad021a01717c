/* Products of packed weights and residuals with x; stands below blocks.c. */

/* Sets a row's logits (class, CHUNK) of some classes from the sums of its products. */
UNROLLED void set_logits(const problem *p, const vec *sum, ptrdiff_t first, int n_classes,
                         REAL *logits)
{
    for (ptrdiff_t c = 0; c < n_classes && first + c < p->n_out; c++)
        logits[(first + c) * CHUNK] = lane_sum(sum[c]) + p->b[(first + c) * p->b_step];
}

/* logits (class, CHUNK) of a row's marked blocks, n_panels panels from class `first` on. */
UNROLLED void sparse_tile(const problem *p, const char *row, const int is_bytes,
                          const uint64_t *marks, const REAL *packed, ptrdiff_t first,
                          const int n_panels, REAL *logits)
{
    const ptrdiff_t item = is_bytes ? 1 : sizeof(REAL);
    const REAL *panel[2] = {packed, packed + panel_size(p)};
    vec sum[2 * PANEL] = {{0}};
    for (ptrdiff_t base = 0; base < block_count(p); base += MARK)
        for (uint64_t left = marks[base]; left; left &= left - 1) {
            const ptrdiff_t block = base + __builtin_ctzll(left);
            const char *at = row + block_start(p, block) * item;
            for (ptrdiff_t k = 0; k < BLOCK; k += LANES) {
                const vec x = load_features(at + k * item, is_bytes);
                for (int c = 0; c < n_panels * PANEL; c++)
                    sum[c] += x * *(const vec *)(panel[c / PANEL] + block * PANEL * BLOCK +
                                                 c % PANEL * BLOCK + k);
            }
        }
    set_logits(p, sum, first, n_panels * PANEL, logits);
}

/* logits (class, CHUNK) of one or two rows, x_row bytes apart, and a panel from class
   `first` on; fetches what is `ahead` bytes further on. */
UNROLLED void dense_tile(const problem *p, const char *x, int rows, ptrdiff_t x_row,
                         ptrdiff_t ahead, const REAL *packed, ptrdiff_t first, REAL *logits)
{
    const ptrdiff_t second = rows == 2 ? x_row : 0; /* one is taken twice */
    vec sum[2][PANEL] = {{{0}}};
    for (ptrdiff_t block = 0; block < block_count(p); block++) {
        const char *at = x + block_start(p, block) * sizeof(REAL);
        const REAL *w = packed + block * PANEL * BLOCK;
        for (ptrdiff_t k = 0; k < BLOCK; k += LANES)
            for (int r = 0; r < 2; r++) {
                const vec features = load_features(at + r * second + k * sizeof(REAL), 0);
                if (ahead)
                    __builtin_prefetch(at + r * second + ahead);
                for (int c = 0; c < PANEL; c++)
                    sum[r][c] += features * *(const vec *)(w + c * BLOCK + k);
            }
    }
    for (int r = 0; r < rows; r++)
        set_logits(p, sum[r], first, PANEL, logits + r);
}

/* packed += delta (class, CHUNK) x of a block's marked rows, for n_panels panels. Starts
   from zero: the sum of a chunk is rounded at its own magnitude, not at that of the whole
   minibatch's. */
UNROLLED void sparse_block(const problem *p, const char *x, const int is_bytes,
                           uint64_t marks, const REAL *delta, const int n_panels,
                           REAL *packed)
{
    const ptrdiff_t item = is_bytes ? 1 : sizeof(REAL), size = row_bytes(p);
    REAL *panel[2] = {packed, packed + panel_size(p)};
    for (ptrdiff_t k = 0; k < BLOCK; k += LANES) {
        vec sum[2 * PANEL] = {{0}};
        for (uint64_t left = marks; left; left &= left - 1) {
            const int r = __builtin_ctzll(left);
            const vec features = load_features(x + r * size + k * item, is_bytes);
            for (int c = 0; c < n_panels * PANEL; c++)
                sum[c] += features * delta[c * CHUNK + r];
        }
        for (int c = 0; c < n_panels * PANEL; c++)
            *(vec *)(panel[c / PANEL] + c % PANEL * BLOCK + k) += sum[c];
    }
}

/* The same of all rows, x_row bytes apart, for one panel and n_blocks blocks, `apart` bytes
   apart. */
UNROLLED void dense_blocks(const char *x, ptrdiff_t x_row, ptrdiff_t rows, ptrdiff_t apart,
                           const REAL *delta, const int n_blocks, REAL *packed)
{
    for (ptrdiff_t k = 0; k < BLOCK; k += LANES) {
        const char *at = x + k * sizeof(REAL);
        vec sum[2][PANEL] = {{{0}}};
        for (ptrdiff_t r = 0; r < rows; r++, at += x_row)
            for (int i = 0; i < n_blocks; i++) {
                const vec features = load_features(at + i * apart, 0);
                for (int c = 0; c < PANEL; c++)
                    sum[i][c] += features * delta[c * CHUNK + r];
            }
        for (int i = 0; i < n_blocks; i++)
            for (int c = 0; c < PANEL; c++)
                *(vec *)(packed + (i * PANEL + c) * BLOCK + k) += sum[i][c];
    }
}

/* Sets logits (class, CHUNK) of some rows of x, whose marked blocks are multiplied. */
UNROLLED void sparse_logits(const problem *p, const char *x, ptrdiff_t rows,
                            const int is_bytes, const uint64_t *marks, const REAL *packed,
                            REAL *logits)
{
    for (ptrdiff_t r = 0; r < rows; r++, x += row_bytes(p))
        for (ptrdiff_t first = 0; first < p->n_out; first += 2 * PANEL) {
            const REAL *w = packed + first / PANEL * panel_size(p);
            if (first + PANEL < p->n_out)
                sparse_tile(p, x, is_bytes, marks + r, w, first, 2, logits + r);
            else
                sparse_tile(p, x, is_bytes, marks + r, w, first, 1, logits + r);
        }
}

/* packed += delta (class, CHUNK) x of the marked rows of each block. */
UNROLLED void sparse_gradient(const problem *p, const char *x, const int is_bytes,
                              const uint64_t *marks, const REAL *delta, REAL *packed)
{
    for (ptrdiff_t first = 0; first < p->n_out; first += 2 * PANEL, packed += 2 * panel_size(p))
        for (ptrdiff_t block = 0; block < block_count(p); block++) {
            const char *at = x + block_start(p, block) * (is_bytes ? 1 : sizeof(REAL));
            const REAL *d = delta + first * CHUNK;
            REAL *g = packed + block * PANEL * BLOCK;
            if (first + PANEL < p->n_out)
                sparse_block(p, at, is_bytes, marks[block], d, 2, g);
            else
                sparse_block(p, at, is_bytes, marks[block], d, 1, g);
        }
}

/* Sets logits (class, CHUNK) of some rows of numbers without marks. */
APART void dense_logits(const problem *p, const char *x, ptrdiff_t rows,
                        const REAL *packed, REAL *logits)
{
    const ptrdiff_t size = row_bytes(p);
    for (ptrdiff_t first = 0; first < p->n_out; first += PANEL, packed += panel_size(p))
        for (ptrdiff_t r = 0; r < rows; r += 2)
            dense_tile(p, x + r * size, r + 1 < rows ? 2 : 1, size, first ? 0 : CHUNK * size,
                       packed, first, logits + r);
}

/* packed += delta (class, CHUNK) x of some rows of numbers without marks. */
APART void dense_gradient(const problem *p, const char *x, ptrdiff_t rows,
                          const REAL *delta, REAL *packed)
{
    for (ptrdiff_t block = 0; block < block_count(p); block += 2)
        for (ptrdiff_t first = 0; first < p->n_out; first += PANEL) {
            const ptrdiff_t start = block_start(p, block) * sizeof(REAL);
            const ptrdiff_t apart = block_start(p, block + 1) * sizeof(REAL) - start;
            const REAL *d = delta + first * CHUNK;
            REAL *g = packed + first / PANEL * panel_size(p) + block * PANEL * BLOCK;
            if (block + 1 < block_count(p))
                dense_blocks(x + start, row_bytes(p), rows, apart, d, 2, g);
            else
                dense_blocks(x + start, row_bytes(p), rows, apart, d, 1, g);
        }
}
