/* What every contender offers to the measuring program: the same loops, in its own way.
 * One shared library per contender (or family), so that no two runtimes ever share a process. */
#ifndef BENCHES_CONTENDER_H
#define BENCHES_CONTENDER_H

#include "parmap.h" /* the function types alone: an item looks the same to everybody */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct contender {
    /* Brings the threads up; 0, or it cannot take part. */
    int (*start)(size_t workers);
    /* for (i = 0; i < n; i++) fn(in + i*in_size, out + i*out_size, ctx) */
    void (*map)(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n);
    /* fn(0, n, ctx) in as many ranges as the contender likes; NULL where it cannot. */
    void (*for_ranges)(par_range_fn fn, void *ctx, size_t n);
    /* acc holds the identity, then the result; acc_size is at most CONTENDER_ACC_MAX; NULL where it cannot. */
    void (*reduce)(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n);
    /* NULL: the measuring program maps over par_bytes with `map` and results from malloc. */
    void (*map_bytes)(par_bytes_fn fn, void *ctx, const par_bytes *in, par_bytes *out, size_t n);
    /* Of a contender with results of its own making; NULL otherwise. */
    par_status (*bytes_resize)(par_bytes *bytes, size_t len);
    /* 0: an item must not call `map`; its inner loop is then the plain one. */
    int nests;
};

#define CONTENDER_ACC_MAX 64

#ifdef __cplusplus
}
#endif
#endif
