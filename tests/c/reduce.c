/* par_reduce: the same answer, bit for bit, whoever computes it, and left before right. */
#include "promise.h"

static const size_t worker_counts[] = {1, 2, 7, 64};
#define WORKER_COUNTS (sizeof worker_counts / sizeof worker_counts[0])

/* A sum whose bits depend on the order of additions: terms of very different size. */
static int add_terms(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    for (size_t i = begin; i < end; i++)
        *(double *)acc += 1.0 / ((double)(i * 7919 % 1000003) + 0.1);
    return 0;
}

static int add_sums(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(double *)acc += *(const double *)other;
    return 0;
}

static void a_floating_point_sum_has_the_same_bits_at_1_2_7_and_64_workers(void)
{
    static const size_t lengths[] = {1, 10, 1000, 1025, 300000};
    static const size_t grains[] = {0, 1, 100, 1000000};
    for (size_t l = 0; l < 5; l++)
        for (size_t g = 0; g < 4; g++) {
            double sums[WORKER_COUNTS] = {0};
            for (size_t w = 0; w < WORKER_COUNTS; w++) {
                par_options options = PAR_OPTIONS_INIT;
                options.workers = worker_counts[w];
                options.grain = grains[g];
                CHECK_EQUAL(par_reduce(add_terms, add_sums, NULL, &sums[w], sizeof sums[w], lengths[l], &options), PAR_OK);
                CHECK_EQUAL(memcmp(&sums[w], &sums[0], sizeof sums[0]), 0);
            }
            CHECK(sums[0] > 0);
        }
}

/* x -> a * x + b, modulo 2^64. Putting two of these after one another is associative and not commutative. */
typedef struct affine {
    uint64_t a, b;
} affine;

static void after(affine *first, affine then)
{
    first->a *= then.a;
    first->b = first->b * then.a + then.b;
}

static affine number(size_t i)
{
    affine f = {2 * i + 3, i ^ 0x9e3779b97f4a7c15u};
    return f;
}

static int compose_range(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    for (size_t i = begin; i < end; i++)
        after(acc, number(i));
    return 0;
}

static int compose(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    after(acc, *(const affine *)other);
    return 0;
}

static void ranges_are_combined_from_left_to_right(void)
{
    static const size_t lengths[] = {1, 2, 63, 1024, 1025, 200000};
    for (size_t l = 0; l < 6; l++) {
        affine expected = {1, 0};
        compose_range(0, lengths[l], &expected, NULL);
        for (size_t w = 0; w < WORKER_COUNTS; w++) {
            affine got = {1, 0};
            par_options options = PAR_OPTIONS_INIT;
            options.workers = worker_counts[w];
            CHECK_EQUAL(par_reduce(compose_range, compose, NULL, &got, sizeof got, lengths[l], &options), PAR_OK);
            CHECK_EQUAL(got.a, expected.a);
            CHECK_EQUAL(got.b, expected.b);
        }
    }
}

/* The ranges of a call, by the index that each begins at. */
#define ITEMS 5000
static size_t end_of[ITEMS];
static int ranges;

static int note_range(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)acc, (void)ctx;
    CHECK(begin < end && end <= ITEMS);
    CHECK_EQUAL(end_of[begin], 0);
    end_of[begin] = end;
    ADD(ranges, 1);
    return 0;
}

static int combine_nothing(void *acc, const void *other, void *ctx)
{
    (void)acc, (void)other, (void)ctx;
    return 0;
}

static void ranges_depend_on_items_and_grain_alone(void)
{
    static const size_t lengths[] = {1, 1000, 1024, 1025, ITEMS};
    static const size_t grains[] = {0, 1, 7, 100, 1000000};
    for (size_t l = 0; l < 5; l++)
        for (size_t g = 0; g < 5; g++) {
            size_t expected[ITEMS];
            for (size_t w = 0; w < WORKER_COUNTS; w++) {
                par_options options = PAR_OPTIONS_INIT;
                size_t next = 0;
                char acc = 0;
                ranges = 0;
                memset(end_of, 0, sizeof end_of);
                options.workers = worker_counts[w];
                options.grain = grains[g];
                CHECK_EQUAL(par_reduce(note_range, combine_nothing, NULL, &acc, 1, lengths[l], &options), PAR_OK);
                for (int r = 0; r < ranges; r++) {
                    CHECK(next < lengths[l] && end_of[next] != 0);
                    CHECK(end_of[next] == lengths[l] || end_of[next] - next >= grains[g]);
                    next = end_of[next];
                }
                CHECK_EQUAL(next, lengths[l]);
                CHECK(ranges <= 1024);
                if (grains[g] == 0 && lengths[l] <= 1024)
                    CHECK_EQUAL(ranges, lengths[l]);
                if (w == 0)
                    memcpy(expected, end_of, sizeof expected);
                CHECK_EQUAL(memcmp(end_of, expected, sizeof expected), 0);
            }
        }
}

/* An accumulator of an odd size, which says whether it began as the identity, on an aligned address. */
typedef struct odd {
    unsigned char bytes[37];
} odd;

static int check_start(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)begin, (void)end;
    CHECK_EQUAL((uintptr_t)acc % 64, 0);
    CHECK_EQUAL(memcmp(acc, ctx, sizeof(odd)), 0);
    memset(acc, 'x', sizeof(odd));
    return 0;
}

static int check_folded(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    CHECK_EQUAL((uintptr_t)other % 64, 0);
    for (size_t i = 0; i < sizeof(odd); i++)
        CHECK_EQUAL(((const unsigned char *)other)[i], 'x');
    ((unsigned char *)acc)[0]++;
    return 0;
}

static void each_range_starts_from_an_aligned_copy_of_the_identity(void)
{
    for (size_t w = 0; w < WORKER_COUNTS; w++) {
        odd identity, acc;
        par_options options = PAR_OPTIONS_INIT;
        for (size_t i = 0; i < sizeof identity; i++)
            identity.bytes[i] = (unsigned char)(i * 3);
        acc = identity;
        options.workers = worker_counts[w];
        CHECK_EQUAL(par_reduce(check_start, check_folded, &identity, &acc, sizeof acc, 200, &options), PAR_OK);
        CHECK_EQUAL(acc.bytes[0], 200);
        CHECK_EQUAL(memcmp(acc.bytes + 1, identity.bytes + 1, sizeof acc - 1), 0);
    }
}

#define LARGE ((size_t)4 << 20)

static int count_into_large(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    for (size_t i = begin; i < end; i++) {
        ((unsigned char *)acc)[0]++;
        ((unsigned char *)acc)[LARGE - 1]++;
    }
    return 0;
}

static int add_large(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    ((unsigned char *)acc)[0] = (unsigned char)(((unsigned char *)acc)[0] + ((const unsigned char *)other)[0]);
    ((unsigned char *)acc)[LARGE - 1] =
        (unsigned char)(((unsigned char *)acc)[LARGE - 1] + ((const unsigned char *)other)[LARGE - 1]);
    return 0;
}

static void an_accumulator_may_be_megabytes(void)
{
    unsigned char *acc = calloc(1, LARGE);
    par_options options = PAR_OPTIONS_INIT;
    CHECK(acc != NULL);
    options.workers = 3;
    CHECK_EQUAL(par_reduce(count_into_large, add_large, NULL, acc, LARGE, 50, &options), PAR_OK);
    CHECK_EQUAL(acc[0], 50);
    CHECK_EQUAL(acc[LARGE - 1], 50);
    free(acc);
}

/* Counts items; ranges that hold item 300 fail. */
static int count_or_fail(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    *(uint64_t *)acc += end - begin;
    return begin <= 300 && 300 < end ? 9 : 0;
}

static int add_counts(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(uint64_t *)acc += *(const uint64_t *)other;
    return 0;
}

static void a_fold_that_fails_leaves_the_accumulator_untouched(void)
{
    for (size_t w = 0; w < WORKER_COUNTS; w++) {
        uint64_t acc = 0;
        par_report report;
        par_options options = reporting_to(&report);
        options.workers = worker_counts[w];
        CHECK_EQUAL(par_reduce(count_or_fail, add_counts, NULL, &acc, sizeof acc, 1000, &options), PAR_EITEM);
        CHECK_EQUAL(acc, 0);
        CHECK_EQUAL(report.first_failed, 300);
        CHECK_EQUAL(report.first.code, 9);
    }
}

static void with_keep_going_the_ranges_that_succeed_are_combined(void)
{
    for (size_t w = 0; w < WORKER_COUNTS; w++) {
        static par_item items[1000];
        uint64_t acc = 0;
        par_report report;
        par_options options = reporting_to(&report);
        options.flags = PAR_KEEP_GOING;
        options.workers = worker_counts[w];
        options.grain = 10;
        options.items = items;
        CHECK_EQUAL(par_reduce(count_or_fail, add_counts, NULL, &acc, sizeof acc, 1000, &options), PAR_EITEM);
        CHECK(report.failed >= 10);
        CHECK_EQUAL(acc, 1000 - report.failed);
        CHECK_EQUAL(report.done, 1000);
        size_t failed = 0;
        for (size_t i = 0; i < 1000; i++)
            failed += items[i].state == PAR_ITEM_FAILED && items[i].code == 9;
        CHECK_EQUAL(failed, report.failed);
    }
}

static void a_canceled_reduce_leaves_the_accumulator_untouched(void)
{
    static const volatile int cancel = 1;
    uint64_t acc = 77;
    par_options options = PAR_OPTIONS_INIT;
    options.cancel = &cancel;
    CHECK_EQUAL(par_reduce(count_or_fail, add_counts, NULL, &acc, sizeof acc, 200, &options), PAR_ECANCELED);
    CHECK_EQUAL(acc, 77);
}

const promise promises[] = {
    PROMISE(a_floating_point_sum_has_the_same_bits_at_1_2_7_and_64_workers),
    PROMISE(ranges_are_combined_from_left_to_right),
    PROMISE(ranges_depend_on_items_and_grain_alone),
    PROMISE(each_range_starts_from_an_aligned_copy_of_the_identity),
    PROMISE(an_accumulator_may_be_megabytes),
    PROMISE(a_fold_that_fails_leaves_the_accumulator_untouched),
    PROMISE(with_keep_going_the_ranges_that_succeed_are_combined),
    PROMISE(a_canceled_reduce_leaves_the_accumulator_untouched),
    {NULL, NULL},
};
