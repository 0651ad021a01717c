/* BLAS for PyTensor's C code: the OpenBLAS that NumPy brings along.

   PyTensor calls Fortran's names with 32-bit integers; those of NumPy's library are 64
   bits long, and its names others. A large product is shared by OpenMP's threads, each of
   which calls the library as if alone: OpenBLAS' own threads spin for milliseconds after
   a call, and would keep those of the fused operations off their cores. */
#include <dlfcn.h>
#include <stdint.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace numpy_blas {

/* NUMPY is the path of NumPy's extension module, which is loaded, and linked to it. */
static void *find(const char *name)
{
    static void *const numpy = dlopen(NUMPY, RTLD_LAZY);
    return dlsym(numpy, name);
}

static int (*const get_threads)(void) = (int (*)(void))find("scipy_openblas_get_num_threads64_");
static void (*const set_threads)(int) = (void (*)(int))find("scipy_openblas_set_num_threads64_");
static const pid_t loaded_in = getpid();

/* While it lives OpenBLAS computes in the thread that calls it. PyTensor holds Python's
   lock meanwhile, so that there is one at a time. */
struct alone {
    const int threads;
    alone() : threads(get_threads()) { set_threads(1); }
    ~alone() { set_threads(threads); }
};

/* Threads for so many multiplications; one in a child of fork(), which loses the others. */
static int share(double multiplications, int allowed)
{
#ifdef _OPENMP
    if (multiplications > 1e6 && getpid() == loaded_in)
        return allowed < omp_get_max_threads() ? allowed : omp_get_max_threads();
#endif
    return 1;
}

/* The 64-bit copy of an integer, for the length of a call; other arguments as they are. */
struct wide {
    const int64_t value;
    wide(const int *given) : value(*given) {}
    operator const int64_t *() const { return &value; }
};
template <typename T> struct widened { typedef T type, argument; };
template <> struct widened<const int *> { typedef wide type; typedef const int64_t *argument; };

template <typename result, typename... T> static result call(void *function, T... given)
{
    return ((result(*)(typename widened<T>::argument...))function)(
        typename widened<T>::type(given)...);
}

template <typename real>
static void gemm(void *function, const char *ta, const char *tb, const int *m, const int *n,
                 const int *k, const real *alpha, const real *a, const int *lda,
                 const real *b, const int *ldb, const real *beta, real *c, const int *ldc)
{
    const alone library;
    const int threads = share((double)*m * *n * *k, library.threads);
    /* Shares of c are whole tiles of 16 rows or columns, whichever are more. */
    const bool by_row = *m > *n;
    const int length = by_row ? *m : *n, tiles = (length + 15) / 16;
    const int64_t a_step = !by_row ? 0 : *ta == 'N' ? 1 : *lda;
    const int64_t b_step = by_row ? 0 : *tb == 'N' ? *ldb : 1;
    const int64_t c_step = by_row ? 1 : *ldc;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) if (threads > 1)
#endif
    for (int i = 0; i < threads; i++) {
        const int first = (int64_t)tiles * i / threads * 16;
        const int end = i + 1 < threads ? (int64_t)tiles * (i + 1) / threads * 16 : length;
        const int part = end - first;
        call<void>(function, ta, tb, by_row ? &part : m, by_row ? n : &part, k, alpha,
                   a + first * a_step, lda, b + first * b_step, ldb, beta,
                   c + first * c_step, ldc);
    }
}

} // namespace numpy_blas

/* The functions that PyTensor calls, as it declares them. */
#define FUNCTIONS(real, s)                                                                 \
    void s##gemm_(char *ta, char *tb, const int *m, const int *n, const int *k,            \
                  const real *alpha, const real *a, const int *lda, const real *b,         \
                  const int *ldb, const real *beta, real *c, const int *ldc)               \
    {                                                                                      \
        static void *const function = numpy_blas::find("scipy_" #s "gemm_64_");            \
        numpy_blas::gemm(function, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);  \
    }                                                                                      \
    void s##gemv_(char *t, const int *m, const int *n, const real *alpha, const real *a,   \
                  const int *lda, const real *x, const int *sx, const real *beta, real *y, \
                  const int *sy)                                                           \
    {                                                                                      \
        static void *const function = numpy_blas::find("scipy_" #s "gemv_64_");            \
        const numpy_blas::alone library;                                                   \
        numpy_blas::call<void>(function, t, m, n, alpha, a, lda, x, sx, beta, y, sy);      \
    }                                                                                      \
    void s##ger_(const int *m, const int *n, const real *alpha, const real *x,             \
                 const int *sx, const real *y, const int *sy, real *a, const int *lda)     \
    {                                                                                      \
        static void *const function = numpy_blas::find("scipy_" #s "ger_64_");             \
        const numpy_blas::alone library;                                                   \
        numpy_blas::call<void>(function, m, n, alpha, x, sx, y, sy, a, lda);               \
    }                                                                                      \
    real s##dot_(const int *n, const real *x, const int *sx, const real *y, const int *sy) \
    {                                                                                      \
        static void *const function = numpy_blas::find("scipy_" #s "dot_64_");             \
        const numpy_blas::alone library;                                                   \
        return numpy_blas::call<real>(function, n, x, sx, y, sy);                          \
    }                                                                                      \
    void s##axpy_(const int *n, const real *alpha, const real *x, const int *sx, real *y,  \
                  const int *sy)                                                           \
    {                                                                                      \
        static void *const function = numpy_blas::find("scipy_" #s "axpy_64_");            \
        const numpy_blas::alone library;                                                   \
        numpy_blas::call<void>(function, n, alpha, x, sx, y, sy);                          \
    }

#pragma GCC visibility push(hidden)
extern "C" {
FUNCTIONS(float, s)
FUNCTIONS(double, d)
}
#pragma GCC visibility pop
#undef FUNCTIONS
