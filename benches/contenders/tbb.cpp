/* oneTBB, with its default partitioner and with the static one. */
#include "contender.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/partitioner.h>

#include <cstring>

namespace {

using range = tbb::blocked_range<size_t>;

int start(size_t workers)
{
    static tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers);
    return 0;
}

template <class Partitioner>
void map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n)
{
    const char *from = static_cast<const char *>(in);
    char *to = static_cast<char *>(out);
    tbb::parallel_for(
        range(0, n),
        [=](const range &part) {
            for (size_t i = part.begin(); i != part.end(); i++)
                fn(from + i * in_size, to + i * out_size, ctx);
        },
        Partitioner());
}

template <class Partitioner>
void for_ranges(par_range_fn fn, void *ctx, size_t n)
{
    tbb::parallel_for(range(0, n), [=](const range &part) { fn(part.begin(), part.end(), ctx); }, Partitioner());
}

struct accumulator {
    alignas(64) unsigned char bytes[CONTENDER_ACC_MAX];
};

template <class Partitioner>
void reduce(par_fold_fn fold, par_combine_fn combine, void *ctx, void *acc, size_t acc_size, size_t n)
{
    accumulator identity;
    std::memcpy(identity.bytes, acc, acc_size);
    accumulator sum = tbb::parallel_reduce(
        range(0, n), identity,
        [=](const range &part, accumulator own) {
            fold(part.begin(), part.end(), own.bytes, ctx);
            return own;
        },
        [=](accumulator left, const accumulator &right) {
            combine(left.bytes, right.bytes, ctx);
            return left;
        },
        Partitioner());
    std::memcpy(acc, sum.bytes, acc_size);
}

} // namespace

extern "C" {
extern const struct contender contender_tbb = {start, map<tbb::auto_partitioner>, for_ranges<tbb::auto_partitioner>,
                                               reduce<tbb::auto_partitioner>, NULL, NULL, 1};
extern const struct contender contender_tbb_static = {
    start, map<tbb::static_partitioner>, for_ranges<tbb::static_partitioner>, reduce<tbb::static_partitioner>, NULL, NULL, 1};
}
