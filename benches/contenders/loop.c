/* The plain loop, in a shared library of its own as every other contender: what all ratios refer to. */
#include "contender.h"

static int start(size_t workers)
{
    (void)workers;
    return 0;
}

static void map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    const char *from = in;
    char *to = out;
    for (size_t i = 0; i < n; i++)
        if (fn(from + i * in_size, to + i * out_size, ctx) != 0)
            return;
}

static void for_ranges(par_range_fn fn, void *ctx, size_t n)
{
    fn(0, n, ctx);
}

static void reduce(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n)
{
    (void)combine;
    (void)acc_size;
    fold(0, n, acc, ctx);
}

const struct contender contender_loop = {start, map, for_ranges, reduce, NULL, NULL, 1};
