/* What people write first: threads spawned for each call, one slice each, joined at the end. */
#include "contender.h"

#include <pthread.h>
#include <string.h>

#define THREADS_MAX 256

static size_t threads;

static int start(size_t workers)
{
    threads = workers < THREADS_MAX ? workers : THREADS_MAX;
    return 0;
}

struct slice {
    par_map_fn item;
    par_range_fn range;
    par_fold_fn fold;
    void *ctx;
    const char *in;
    char *out;
    size_t in_size, out_size, begin, end;
    double acc[CONTENDER_ACC_MAX / sizeof(double)];
};

static void *run(void *argument)
{
    struct slice *slice = argument;
    if (slice->range != NULL)
        slice->range(slice->begin, slice->end, slice->ctx);
    else if (slice->fold != NULL)
        slice->fold(slice->begin, slice->end, slice->acc, slice->ctx);
    else
        for (size_t i = slice->begin; i < slice->end; i++)
            slice->item(slice->in + i * slice->in_size, slice->out + i * slice->out_size, slice->ctx);
    return NULL;
}

static size_t spread(const struct slice *whole, struct slice *slices, size_t n)
{
    pthread_t ids[THREADS_MAX];
    char started[THREADS_MAX] = {0};
    size_t count = n < threads ? n : threads;
    for (size_t t = 0; t < count; t++) {
        slices[t] = *whole;
        slices[t].begin = n * t / count;
        slices[t].end = n * (t + 1) / count;
    }
    for (size_t t = 1; t < count; t++)
        started[t] = pthread_create(&ids[t], NULL, run, &slices[t]) == 0;
    for (size_t t = 0; t < count; t++)
        if (!started[t])
            run(&slices[t]);
    for (size_t t = 1; t < count; t++)
        if (started[t])
            pthread_join(ids[t], NULL);
    return count;
}

static void map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    struct slice whole = {.item = fn, .ctx = ctx, .in = in, .out = out, .in_size = in_size, .out_size = out_size};
    struct slice slices[THREADS_MAX];
    spread(&whole, slices, n);
}

static void for_ranges(par_range_fn fn, void *ctx, size_t n)
{
    struct slice whole = {.range = fn, .ctx = ctx};
    struct slice slices[THREADS_MAX];
    spread(&whole, slices, n);
}

static void reduce(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n)
{
    struct slice whole = {.fold = fold, .ctx = ctx};
    struct slice slices[THREADS_MAX];
    memcpy(whole.acc, acc, acc_size);
    size_t count = spread(&whole, slices, n);
    for (size_t t = 0; t < count; t++)
        combine(acc, slices[t].acc, ctx);
}

const struct contender contender_pthreads = {start, map, for_ranges, reduce, NULL, NULL, 1};
