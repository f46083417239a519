/* GNU or LLVM OpenMP, whichever the compiler brings; built once per SCHEDULE (static, dynamic, guided). */
#include "contender.h"

#include <omp.h>
#include <string.h>

/* A static schedule gives each thread one slice; the others need smaller ranges to choose from. */
#define RANGES_static 1
#define RANGES_dynamic 64
#define RANGES_guided 64
#define RANGES_OF(schedule) RANGES_##schedule
#define RANGES_PER_THREAD(schedule) RANGES_OF(schedule)

static int start(size_t workers)
{
    omp_set_dynamic(0);
    omp_set_num_threads((int)workers);
    return 0;
}

static void map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    const char *from = in;
    char *to = out;
#pragma omp parallel for schedule(SCHEDULE)
    for (size_t i = 0; i < n; i++)
        fn(from + i * in_size, to + i * out_size, ctx);
}

static size_t range_count(size_t n)
{
    size_t wanted = (size_t)omp_get_max_threads() * RANGES_PER_THREAD(SCHEDULE);
    return n < wanted ? n : wanted;
}

static void for_ranges(par_range_fn fn, void *ctx, size_t n)
{
    size_t ranges = range_count(n);
#pragma omp parallel for schedule(SCHEDULE)
    for (size_t r = 0; r < ranges; r++)
        fn(n * r / ranges, n * (r + 1) / ranges, ctx);
}

static void reduce(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n)
{
    size_t ranges = range_count(n);
    char identity[CONTENDER_ACC_MAX];
    memcpy(identity, acc, acc_size);
#pragma omp parallel
    {
        double own[CONTENDER_ACC_MAX / sizeof(double)];
        memcpy(own, identity, acc_size);
#pragma omp for schedule(SCHEDULE) nowait
        for (size_t r = 0; r < ranges; r++)
            fold(n * r / ranges, n * (r + 1) / ranges, own, ctx);
#pragma omp critical
        combine(acc, own, ctx);
    }
}

/* An inner region runs on the one thread that meets it: OpenMP's default, and safe. */
const struct contender CONTENDER = {start, map, for_ranges, reduce, NULL, NULL, 1};
