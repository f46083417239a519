/* Ours, through the C interface of the shared library named by PARMAP_LIBRARY, so that two builds can be compared in one run. */
#include "contender.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static par_status (*library_map)(par_map_fn, void *, const void *, size_t, void *, size_t, size_t, const par_options *);
static par_status (*library_for)(par_range_fn, void *, size_t, const par_options *);
static par_status (*library_reduce)(par_fold_fn, par_combine_fn, void *, void *, size_t, size_t, const par_options *);
static par_status (*library_map_bytes)(par_bytes_fn, void *, const par_bytes *, par_bytes *, size_t, const par_options *);
static par_status (*library_resize)(par_bytes *, size_t);

static void *found(void *library, const char *name)
{
    void *function = dlsym(library, name);
    if (function == NULL)
        fprintf(stderr, "contender parmap: %s\n", dlerror());
    return function;
}

static int start(size_t workers)
{
    char count[32];
    snprintf(count, sizeof count, "%zu", workers);
    setenv("PAR_NUM_WORKERS", count, 1);
    const char *path = getenv("PARMAP_LIBRARY");
    void *library = dlopen(path != NULL ? path : "libparmap.so", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "contender parmap: %s\n", dlerror());
        return 1;
    }
    *(void **)&library_map = found(library, "par_map");
    *(void **)&library_for = found(library, "par_for");
    *(void **)&library_reduce = found(library, "par_reduce");
    *(void **)&library_map_bytes = found(library, "par_map_bytes");
    *(void **)&library_resize = found(library, "par_bytes_resize");
    return library_map == NULL || library_for == NULL || library_reduce == NULL || library_map_bytes == NULL ||
           library_resize == NULL;
}

static void must_be_ok(par_status status, const char *call)
{
    if (status == PAR_OK)
        return;
    fprintf(stderr, "contender parmap: %s returned status %d\n", call, status);
    exit(1);
}

static void map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    must_be_ok(library_map(fn, ctx, in, in_size, out, out_size, n, NULL), "par_map");
}

static void for_ranges(par_range_fn fn, void *ctx, size_t n)
{
    must_be_ok(library_for(fn, ctx, n, NULL), "par_for");
}

static void reduce(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n)
{
    must_be_ok(library_reduce(fold, combine, ctx, acc, acc_size, n, NULL), "par_reduce");
}

static void map_bytes(par_bytes_fn fn, void *ctx, const par_bytes *in, par_bytes *out, size_t n)
{
    must_be_ok(library_map_bytes(fn, ctx, in, out, n, NULL), "par_map_bytes");
}

static par_status bytes_resize(par_bytes *bytes, size_t len)
{
    return library_resize(bytes, len);
}

const struct contender contender_parmap = {start, map, for_ranges, reduce, map_bytes, bytes_resize, 1};
