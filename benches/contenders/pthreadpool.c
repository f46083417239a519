/* pthreadpool: item by item, and with its tile variant, where the user chooses how many items are taken at once. */
#include "contender.h"

#include <pthreadpool.h>
#include <string.h>

/* So many tiles per thread: small enough to spread uneven work, large enough that claims do not count. */
#define TILES_PER_THREAD 16
#define RANGES_MAX 1024

static pthreadpool_t pool;

static int start(size_t workers)
{
    pool = pthreadpool_create(workers);
    return pool == NULL;
}

static size_t tile_of(size_t n)
{
    size_t tile = n / (pthreadpool_get_threads_count(pool) * TILES_PER_THREAD);
    return tile > 0 ? tile : 1;
}

struct items {
    par_map_fn fn;
    void *ctx;
    const char *in;
    char *out;
    size_t in_size, out_size;
};

static void one_item(void *context, size_t i)
{
    const struct items *items = context;
    items->fn(items->in + i * items->in_size, items->out + i * items->out_size, items->ctx);
}

static void one_tile(void *context, size_t first, size_t count)
{
    const struct items *items = context;
    for (size_t i = first; i < first + count; i++)
        items->fn(items->in + i * items->in_size, items->out + i * items->out_size, items->ctx);
}

static void map_items(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    struct items items = {fn, ctx, in, out, in_size, out_size};
    pthreadpool_parallelize_1d(pool, one_item, &items, n, 0);
}

static void map_tiles(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    struct items items = {fn, ctx, in, out, in_size, out_size};
    pthreadpool_parallelize_1d_tile_1d(pool, one_tile, &items, n, tile_of(n), 0);
}

struct ranges {
    par_range_fn fn;
    void *ctx;
};

static void one_range(void *context, size_t first, size_t count)
{
    const struct ranges *ranges = context;
    ranges->fn(first, first + count, ranges->ctx);
}

static void for_ranges(par_range_fn fn, void *ctx, size_t n)
{
    struct ranges ranges = {fn, ctx};
    pthreadpool_parallelize_1d_tile_1d(pool, one_range, &ranges, n, tile_of(n), 0);
}

struct parts {
    par_fold_fn fold;
    void *ctx;
    size_t n, count, acc_size;
    struct {
        double bytes[CONTENDER_ACC_MAX / sizeof(double)];
    } acc[RANGES_MAX];
};

static void one_part(void *context, size_t r)
{
    struct parts *parts = context;
    parts->fold(parts->n * r / parts->count, parts->n * (r + 1) / parts->count, parts->acc[r].bytes, parts->ctx);
}

static void reduce(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n)
{
    static struct parts parts;
    parts.fold = fold;
    parts.ctx = ctx;
    parts.n = n;
    parts.acc_size = acc_size;
    parts.count = n < RANGES_MAX ? n : RANGES_MAX;
    for (size_t r = 0; r < parts.count; r++)
        memcpy(parts.acc[r].bytes, acc, acc_size);
    pthreadpool_parallelize_1d(pool, one_part, &parts, parts.count, 0);
    for (size_t r = 0; r < parts.count; r++)
        combine(acc, parts.acc[r].bytes, ctx);
}

/* A call from inside an item waits for ever: the pool has one command at a time. */
const struct contender contender_pthreadpool = {start, map_items, for_ranges, reduce, NULL, NULL, 0};
const struct contender contender_pthreadpool_tiles = {start, map_tiles, for_ranges, reduce, NULL, NULL, 0};
