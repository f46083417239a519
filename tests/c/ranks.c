/* Calls on ranks: what is computed, and that all ranks have it. */
#include "ranks.h"

#define MANY 20000
#define UNTOUCHED 0x5a5a5a5a

static int in[MANY], out[MANY];
static par_item items[MANY];
static long ran;

/* Only rank 0's items are right. */
static void fill(void)
{
    ran = 0;
    for (int i = 0; i < MANY; i++) {
        in[i] = rank == 0 ? i : -1;
        out[i] = UNTOUCHED;
    }
}

static int twice(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = 2 * *(const int *)item;
    ADD(ran, 1);
    return 0;
}

static void every_rank_has_all_results_of_rank_0s_items(void)
{
    static const size_t counts[] = {0, 1, 2, 3, 100, MANY};
    for (size_t workers = 1; workers <= 3; workers++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            for (size_t grain = 0; grain <= 700; grain += 350) {
                par_options options = on_ranks(workers);
                size_t n = counts[c];
                fill();
                options.grain = grain;
                options.items = rank % 2 ? items : NULL;
                check(par_map(twice, NULL, rank ? NULL : in, sizeof in[0], out, sizeof out[0], n, &options), PAR_OK);
                for (size_t i = 0; i < MANY; i++)
                    CHECK_EQUAL(out[i], i < n ? 2 * (int)i : UNTOUCHED);
                for (size_t i = 0; options.items && i < n; i++)
                    CHECK(items[i].state == PAR_ITEM_OK && items[i].code == 0);
                CHECK_EQUAL(all(ran), (long long)n);
                CHECK(report.done == n && report.failed == 0 && report.message[0] == 0);
                CHECK(report.workers <= workers * (size_t)size && (report.workers > 0 || n == 0));
            }
        }
    }
}

static void an_array_is_mapped_in_place(void)
{
    par_options options = on_ranks(2);
    fill();
    check(par_map(twice, NULL, in, sizeof in[0], in, sizeof in[0], MANY, &options), PAR_OK);
    for (int i = 0; i < MANY; i++)
        CHECK_EQUAL(in[i], 2 * i);
}

static int see(const void *item, void *result, void *ctx)
{
    (void)result;
    ADD(*(long *)ctx, *(const int *)item);
    return 0;
}

static void a_map_needs_no_results(void)
{
    long sum = 0;
    par_options options = on_ranks(2);
    fill();
    check(par_map(see, &sum, in, sizeof in[0], NULL, 0, 1000, &options), PAR_OK);
    CHECK_EQUAL(all(sum), 1000 * 999 / 2);
}

#define BIG 3000000

static int sum_up(const void *item, void *result, void *ctx)
{
    const unsigned char *bytes = item;
    uint64_t sum = 0;
    (void)ctx;
    CHECK_EQUAL((uintptr_t)item % 32, 0);
    for (size_t i = 0; i < BIG; i++)
        sum += bytes[i];
    memset(result, (int)(sum % 251), BIG);
    return 0;
}

static void items_of_megabytes_travel(void)
{
    enum { N = 12 };
    unsigned char *from = malloc((size_t)N * BIG + 32), *to = calloc(N, BIG), *aligned;
    par_options options = on_ranks(2);
    CHECK(from != NULL && to != NULL);
    aligned = from + (32 - (uintptr_t)from % 32) % 32;
    for (size_t i = 0; i < N; i++)
        memset(aligned + i * BIG, rank == 0 ? (int)i : 99, BIG);
    check(par_map(sum_up, NULL, aligned, BIG, to, BIG, N, &options), PAR_OK);
    for (size_t i = 0; i < N; i++)
        CHECK(to[i * BIG] == i * BIG % 251 && to[(i + 1) * BIG - 1] == i * BIG % 251);
    free(from);
    free(to);
}

static int count(size_t begin, size_t end, void *ctx)
{
    ADD(*(long *)ctx, (long)(end - begin));
    return 0;
}

static void ranges_cover_every_item_once(void)
{
    static const size_t counts[] = {0, 1, 1000, 123456789};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        par_options options = on_ranks(2);
        long mine = 0;
        check(par_for(count, &mine, counts[c], &options), PAR_OK);
        CHECK_EQUAL(all(mine), (long long)counts[c]);
        CHECK_EQUAL(report.done, counts[c]);
    }
}

static int slow_short(size_t begin, size_t end, void *ctx)
{
    CHECK(end - begin >= 7 || end == 1000);
    sleep_ms(1);
    return count(begin, end, ctx);
}

static void no_range_but_the_last_is_shorter_than_the_grain(void)
{
    par_options options = on_ranks(3);
    long mine = 0;
    options.grain = 7;
    check(par_for(slow_short, &mine, 1000, &options), PAR_OK);
    CHECK_EQUAL(all(mine), 1000);
}

static int repeat(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)ctx;
    CHECK((uintptr_t)item % 16 == 0 || len == 0);
    CHECK_EQUAL(par_bytes_resize(result, 3 * len), PAR_OK);
    for (size_t i = 0; i < 3 && len > 0; i++)
        memcpy((char *)result->data + i * len, item, len);
    return 0;
}

static void results_of_any_length_reach_every_rank(void)
{
    enum { N = 300 };
    static par_bytes from[N], to[N];
    par_options options = on_ranks(2);
    for (size_t i = 0; i < N; i++) {
        from[i].len = i == 200 ? 9000000 : i % 7 * i;
        from[i].data = from[i].len ? malloc(from[i].len) : NULL;
        for (size_t k = 0; k < from[i].len; k++)
            ((unsigned char *)from[i].data)[k] = (unsigned char)(i + k);
    }
    for (int again = 0; again < 2; again++) { /* results are reused */
        check(par_map_bytes(repeat, NULL, rank ? NULL : from, to, N, &options), PAR_OK);
        for (size_t i = 0; i < N; i++) {
            size_t len = from[i].len;
            CHECK_EQUAL(to[i].len, 3 * len);
            for (size_t k = 0; k < 3; k++)
                CHECK(len == 0 || memcmp((char *)to[i].data + k * len, from[i].data, len) == 0);
        }
    }
    par_bytes_free(from, N);
    par_bytes_free(to, N);
}

static int add_inverses(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    for (size_t i = begin; i < end; i++)
        *(double *)acc += 1 / (double)(i + 1);
    return 0;
}

static int add(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(double *)acc += *(const double *)other;
    return 0;
}

static void a_sum_has_the_same_bits_as_on_threads(void)
{
    static const size_t counts[] = {0, 1, 5, 1023, 1024, 1025, 1000000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        double on_threads = 0, here = 0;
        par_options options = on_ranks(c % 3 + 1);
        check(par_reduce(add_inverses, add, NULL, &on_threads, sizeof on_threads, counts[c], NULL), PAR_OK);
        check(par_reduce(add_inverses, add, NULL, &here, sizeof here, counts[c], &options), PAR_OK);
        CHECK(memcmp(&here, &on_threads, sizeof here) == 0);
        CHECK_EQUAL(report.done, counts[c]);
    }
}

static void hundreds_of_calls_in_a_row(void)
{
    for (int call = 0; call < 300; call++) {
        par_options options = on_ranks(1);
        int mine[5], results[5];
        for (int i = 0; i < 5; i++)
            mine[i] = rank == 0 ? call + i : -1;
        check(par_map(twice, NULL, mine, sizeof mine[0], results, sizeof results[0], 5, &options), PAR_OK);
        for (int i = 0; i < 5; i++)
            CHECK_EQUAL(results[i], 2 * (call + i));
    }
}

/* One item in 5000 takes longer than anybody expects of the others. */
static int twice_at_last(const void *item, void *result, void *ctx)
{
    if (*(const int *)item % 5000 == 4999)
        sleep_ms(40);
    return twice(item, result, ctx);
}

static void long_items_among_brief_ones_run_like_any(void)
{
    for (int call = 0; call < 3; call++) {
        par_options options = on_ranks(1);
        fill();
        check(par_map(twice_at_last, NULL, in, sizeof in[0], out, sizeof out[0], MANY, &options), PAR_OK);
        for (int i = 0; i < MANY; i++)
            CHECK_EQUAL(out[i], 2 * i);
        CHECK_EQUAL(all(ran), MANY);
        CHECK(report.done == MANY && report.workers <= (size_t)size);
    }
}

static int map_threads(const void *item, void *result, void *ctx)
{
    int inner[50], doubled[50];
    par_options options = PAR_OPTIONS_INIT;
    (void)ctx;
    CHECK(par_worker_index() < 2);
    CHECK_EQUAL(par_mpi_rank(), rank);
    for (int i = 0; i < 50; i++)
        inner[i] = *(const int *)item + i;
    CHECK_EQUAL(par_map(twice, NULL, inner, sizeof inner[0], doubled, sizeof doubled[0], 50, &options), PAR_OK);
    *(int *)result = doubled[49];
    options.executor = PAR_MPI;
    CHECK_EQUAL(par_map(twice, NULL, inner, sizeof inner[0], doubled, sizeof doubled[0], 50, &options), PAR_ENOTSUP);
    CHECK_EQUAL(par_mpi_barrier(), PAR_ENOTSUP);
    CHECK_TEXT(par_mpi_message(), "executor PAR_MPI is running");
    return 0;
}

static void a_callback_may_use_threads_but_not_ranks(void)
{
    par_options options = on_ranks(2);
    fill();
    check(par_map(map_threads, NULL, in, sizeof in[0], out, sizeof out[0], 40, &options), PAR_OK);
    for (int i = 0; i < 40; i++)
        CHECK_EQUAL(out[i], 2 * (i + 49));
}

const promise promises[] = {
    PROMISE(every_rank_has_all_results_of_rank_0s_items),
    PROMISE(an_array_is_mapped_in_place),
    PROMISE(a_map_needs_no_results),
    PROMISE(items_of_megabytes_travel),
    PROMISE(ranges_cover_every_item_once),
    PROMISE(no_range_but_the_last_is_shorter_than_the_grain),
    PROMISE(results_of_any_length_reach_every_rank),
    PROMISE(a_sum_has_the_same_bits_as_on_threads),
    PROMISE(long_items_among_brief_ones_run_like_any),
    PROMISE(hundreds_of_calls_in_a_row),
    PROMISE(a_callback_may_use_threads_but_not_ranks),
    {NULL, NULL},
};
