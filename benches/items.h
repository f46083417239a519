/* The work that is shared out: compiled once, at -O2, in a file of its own, so that no contender can inline it. */
#ifndef BENCHES_ITEMS_H
#define BENCHES_ITEMS_H

#include "parmap.h"

#include <stddef.h>
#include <stdint.h>

/* out = in + 1, on doubles: about a nanosecond. */
int item_trivial(const void *in, void *out, void *ctx);

/* Four chains of multiplications side by side, which keep the multiplier busy, so that neighbouring items gain nothing
 * by overlapping in the processor; ctx: uint64_t, how many steps. in, out: uint64_t. */
int item_spin(const void *in, void *out, void *ctx);

/* The same, each item with its own length: in: uint64_t rounds. ctx unused. */
int item_spin_own(const void *in, void *out, void *ctx);

/* The naive recursion; in: int32_t, out: int64_t. */
int item_fib(const void *in, void *out, void *ctx);

/* out = a*in + b on doubles; ctx: struct axpb (its arrays are for ranges alone). */
struct axpb {
    double a, b;
    const double *in;
    double *out;
};
int item_axpb(const void *in, void *out, void *ctx);
int range_axpb(size_t begin, size_t end, void *ctx);

/* Sum of doubles; ctx: the array; acc: double. */
int fold_sum(size_t begin, size_t end, void *acc, void *ctx);
int combine_sum(void *acc, const void *other, void *ctx);

/* A short text made from a number; ctx: struct text, whose resize the contender chose. */
struct text {
    par_status (*resize)(par_bytes *bytes, size_t len);
};
int item_text(const void *in, size_t in_len, par_bytes *out, void *ctx);

/* Gravity: the acceleration of one body from all others, then its step. ctx: struct bodies. in, out: struct body. */
struct body {
    double position[3], velocity[3], mass, acceleration[3];
};
struct bodies {
    const struct body *all;
    size_t n;
    double step;
};
int item_force(const void *in, void *out, void *ctx);
int item_move(const void *in, void *out, void *ctx);

/* What item_spin computes, for checking results. */
uint64_t spin(uint64_t seed, uint64_t rounds);
int64_t fib(int32_t n);

#endif
