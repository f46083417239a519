/* Forked workers give the answers that the plain loop gives. */
#define _GNU_SOURCE
#include "promise.h"

#define MANY 5000

static par_report report;
static int in[MANY], out[MANY];

static par_options in_processes(size_t workers)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.workers = workers;
    for (int i = 0; i < MANY; i++) {
        in[i] = i;
        out[i] = -1;
    }
    return options;
}

static void *shared(size_t len)
{
    void *memory = par_shm_alloc(len);
    CHECK(memory != NULL);
    return memory;
}

/* Counts its runs in shared memory, where the host sees it. */
static int square(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    int *runs = ctx;
    ADD(runs[x], 1);
    *(int *)result = x * x;
    return 0;
}

static void every_item_runs_once_whatever_the_number_of_items_workers_and_grain(void)
{
    const size_t sizes[] = {0, 1, 2, 7, 1000, MANY}, grains[] = {0, 1, 7, 10000};
    int *runs = shared(MANY * sizeof *runs);
    for (int size = 0; size < 6; size++)
        for (size_t workers = 1; workers <= 5; workers += 2)
            for (int grain = 0; grain < 4; grain++) {
                size_t n = sizes[size];
                par_options options = in_processes(workers);
                options.grain = grains[grain];
                memset(runs, 0, MANY * sizeof *runs);
                CHECK_EQUAL(par_map(square, runs, in, sizeof in[0], out, sizeof out[0], n, &options), PAR_OK);
                for (size_t i = 0; i < MANY; i++) {
                    CHECK_EQUAL(runs[i], i < n);
                    CHECK_EQUAL(out[i], i < n ? (int)(i * i) : -1);
                }
                CHECK_EQUAL(report.done, n);
                CHECK(report.workers <= workers && (n == 0 || report.workers > 0));
                CHECK_EQUAL(report.message[0], 0);
            }
    par_shm_free(runs, MANY * sizeof *runs);
}

static int add_to_result(const void *item, void *result, void *ctx)
{
    const int *all = ctx;
    CHECK(*(const int *)item == (int *)result - all); /* the caller's own addresses */
    *(int *)result += 10 * *(const int *)item;
    return 0;
}

static void a_callback_finds_the_array_of_results_as_the_caller_left_it(void)
{
    int *shared_out = shared(MANY * sizeof *shared_out);
    for (int run = 0; run < 2; run++) {
        int *results = run == 0 ? out : shared_out;
        par_options options = in_processes(3);
        for (int i = 0; i < MANY; i++)
            results[i] = i;
        CHECK_EQUAL(par_map(add_to_result, results, in, sizeof in[0], results, sizeof results[0], MANY, &options), PAR_OK);
        for (int i = 0; i < MANY; i++)
            CHECK_EQUAL(results[i], 11 * i);
    }
    par_shm_free(shared_out, MANY * sizeof *shared_out);
}

static int negate(const void *item, void *result, void *ctx)
{
    (void)ctx;
    CHECK(item == result);
    *(int *)result = -*(const int *)item;
    return 0;
}

static void a_map_in_place_works(void)
{
    int *shared_in = shared(MANY * sizeof *shared_in);
    for (int run = 0; run < 2; run++) {
        par_options options = in_processes(3);
        int *items = run == 0 ? in : shared_in + 5; /* in the middle of a piece of shared memory */
        for (int i = 0; i < MANY - 5; i++)
            items[i] = i;
        CHECK_EQUAL(par_map(negate, NULL, items, sizeof items[0], items, sizeof items[0], MANY - 5, &options), PAR_OK);
        for (int i = 0; i < MANY - 5; i++)
            CHECK_EQUAL(items[i], -i);
    }
    par_shm_free(shared_in, MANY * sizeof *shared_in);
}

static int private_count;

static int count_everywhere(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    private_count++;
    ADD(*(int *)ctx, 1);
    return 0;
}

static void what_a_callback_writes_stays_in_its_process_unless_it_is_shared(void)
{
    int *count = shared(sizeof *count);
    par_options options = in_processes(3);
    CHECK_EQUAL(par_map(count_everywhere, count, in, sizeof in[0], NULL, 0, 100, &options), PAR_OK);
    CHECK_EQUAL(private_count, 0);
    CHECK_EQUAL(*count, 100);
    par_shm_free(count, sizeof *count);
}

static int break_memory_and_end(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = private_count;
    private_count = 7;
    if (*(const int *)item == 0)
        _exit(1);
    return 0;
}

static void every_worker_starts_from_the_memory_at_the_call(void)
{
    par_options options = in_processes(1);
    options.flags = PAR_KEEP_GOING;
    private_count = 3;
    CHECK_EQUAL(par_map(break_memory_and_end, NULL, in, sizeof in[0], out, sizeof out[0], 2, &options), PAR_EITEM);
    CHECK_EQUAL(out[1], 3);
    CHECK_EQUAL(private_count, 3);
}

static int mark_range(size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++)
        ADD(((int *)ctx)[i], 1);
    return 0;
}

static void ranges_cover_every_index_once(void)
{
    int *runs = shared(100000 * sizeof *runs);
    par_options options = in_processes(3);
    CHECK_EQUAL(par_for(mark_range, runs, 100000, &options), PAR_OK);
    for (int i = 0; i < 100000; i++)
        CHECK_EQUAL(runs[i], 1);
    par_shm_free(runs, 100000 * sizeof *runs);
}

static int add_fractions(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    CHECK_EQUAL((uintptr_t)acc % 64, 0);
    for (size_t i = begin; i < end; i++)
        *(double *)acc += 1.0 / (double)(i + 1);
    return 0;
}

static int add_double(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(double *)acc += *(const double *)other;
    return 0;
}

static void a_sum_has_the_bits_that_it_has_on_threads(void)
{
    for (size_t n = 1; n < 3000000; n = n * 3 + 1) {
        double on_threads = 0, in_workers;
        CHECK_EQUAL(par_reduce(add_fractions, add_double, NULL, &on_threads, sizeof on_threads, n, NULL), PAR_OK);
        for (size_t workers = 1; workers <= 4; workers++) {
            par_options options = in_processes(workers);
            in_workers = 0;
            CHECK_EQUAL(par_reduce(add_fractions, add_double, NULL, &in_workers, sizeof in_workers, n, &options), PAR_OK);
            CHECK(memcmp(&on_threads, &in_workers, sizeof on_threads) == 0);
            CHECK_EQUAL(report.done, n);
        }
    }
}

#define LONG_ACC 40000 /* of doubles */

static int add_to_all(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < LONG_ACC; i++)
        ((double *)acc)[i] += (double)(end - begin);
    return 0;
}

static int add_all(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < LONG_ACC; i++)
        ((double *)acc)[i] += ((const double *)other)[i];
    return 0;
}

static void an_accumulator_may_be_large(void)
{
    double *acc = calloc(LONG_ACC, sizeof *acc);
    par_options options = in_processes(3);
    CHECK_EQUAL(par_reduce(add_to_all, add_all, NULL, acc, LONG_ACC * sizeof *acc, 300, &options), PAR_OK);
    for (size_t i = 0; i < LONG_ACC; i++)
        CHECK(acc[i] == 300);
    free(acc);
}

/* As long as its item says; 0 and megabytes among them. */
static size_t length_of(size_t i)
{
    return i % 10 == 0 ? 0 : i == 77 ? 5000000 : i == 78 ? 300000 : i * 7;
}

static int fill(const void *item, size_t len, par_bytes *result, void *ctx)
{
    size_t i = len;
    (void)item, (void)ctx;
    CHECK_EQUAL(par_bytes_resize(result, length_of(i)), PAR_OK);
    memset(result->data, (int)(i % 251), length_of(i));
    return 0;
}

static void results_of_any_length_come_back_and_can_be_used_again(void)
{
    static char item[1000];
    static par_bytes items[1000], results[1000];
    for (size_t i = 0; i < 1000; i++) {
        items[i].data = item;
        items[i].len = i;
    }
    for (int run = 0; run < 3; run++) {
        par_options options = in_processes((size_t)run + 1);
        CHECK_EQUAL(par_map_bytes(fill, NULL, items, results, 1000, &options), PAR_OK);
        for (size_t i = 0; i < 1000; i++) {
            CHECK_EQUAL(results[i].len, length_of(i));
            CHECK((results[i].data == NULL) == (results[i].len == 0));
            for (size_t at = 0; at < results[i].len; at += 97)
                CHECK_EQUAL(((unsigned char *)results[i].data)[at], i % 251);
        }
        /* malloc's: the host may resize and free them */
        CHECK_EQUAL(par_bytes_resize(&results[5], 100), PAR_OK);
        par_bytes_free(&results[7], 3);
    }
    par_bytes_free(results, 1000);
}

static int leave_it(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)len, (void)ctx;
    return result->len != 3; /* an earlier result that is left as it is, is the result */
}

static void earlier_results_are_there_in_the_workers(void)
{
    par_bytes items[4] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}}, results[4];
    par_options options = in_processes(2);
    memset(results, 0, sizeof results);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(par_bytes_resize(&results[i], 3), PAR_OK);
        memcpy(results[i].data, "abc", 3);
    }
    CHECK_EQUAL(par_map_bytes(leave_it, NULL, items, results, 4, &options), PAR_OK);
    for (int i = 0; i < 4; i++)
        CHECK(results[i].len == 3 && memcmp(results[i].data, "abc", 3) == 0);
    par_bytes_free(results, 4);
}

static int odd_ones_fail(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = *(const int *)item;
    return *(const int *)item % 2 ? 5 : 0;
}

static void items_that_fail_are_told_with_their_codes(void)
{
    static par_item items[1000];
    par_options options = in_processes(3);
    options.flags = PAR_KEEP_GOING;
    options.items = items;
    CHECK_EQUAL(par_map(odd_ones_fail, NULL, in, sizeof in[0], out, sizeof out[0], 1000, &options), PAR_EITEM);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(items[i].state, i % 2 ? PAR_ITEM_FAILED : PAR_ITEM_OK);
        CHECK_EQUAL(items[i].code, i % 2 ? 5 : 0);
        CHECK(i % 2 || out[i] == i);
    }
    CHECK_EQUAL(report.done, 1000);
    CHECK_EQUAL(report.failed, 500);
    CHECK_EQUAL(report.first_failed, 1);
    CHECK_TEXT(report.message, "par_map: item 1 failed with code 5; 500 of 1000 items failed");
}

static int note_index(const void *item, void *result, void *ctx)
{
    (void)item, (void)ctx;
    sleep_ms(1);
    *(int *)result = (int)par_worker_index();
    return 0;
}

static void workers_have_indices_below_their_number(void)
{
    int seen[3] = {0, 0, 0};
    par_options options = in_processes(3);
    CHECK_EQUAL(par_map(note_index, NULL, in, sizeof in[0], out, sizeof out[0], 100, &options), PAR_OK);
    for (int i = 0; i < 100; i++) {
        CHECK(out[i] >= 0 && out[i] < 3);
        seen[out[i]] = 1;
    }
    CHECK_EQUAL(seen[0] + seen[1] + seen[2], report.workers);
    CHECK_EQUAL(par_worker_index(), 0);
}

static int inner_square(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = *(const int *)item * *(const int *)item;
    return 0;
}

/* A call inside a worker, on the executor that the context names. */
static int sum_of_squares(const void *item, void *result, void *ctx)
{
    int numbers[10], squares[10], sum = 0;
    par_options options = PAR_OPTIONS_INIT;
    options.executor = *(uint32_t *)ctx;
    options.workers = 2;
    for (int i = 0; i < 10; i++)
        numbers[i] = *(const int *)item + i;
    if (par_map(inner_square, NULL, numbers, sizeof numbers[0], squares, sizeof squares[0], 10, &options))
        return 1;
    for (int i = 0; i < 10; i++)
        sum += squares[i];
    *(int *)result = sum;
    return 0;
}

static void a_callback_may_call_on_threads_and_in_processes(void)
{
    uint32_t inner[2] = {PAR_THREADS, PAR_PROCESSES};
    for (uint32_t outer = PAR_THREADS; outer <= PAR_PROCESSES; outer++)
        for (int which = 0; which < 2; which++) {
            par_options options = in_processes(3);
            options.executor = outer;
            CHECK_EQUAL(par_map(sum_of_squares, &inner[which], in, sizeof in[0], out, sizeof out[0], 12, &options), PAR_OK);
            for (int i = 0; i < 12; i++)
                CHECK_EQUAL(out[i], 10 * i * i + 90 * i + 285);
        }
}

const promise promises[] = {
    PROMISE(every_item_runs_once_whatever_the_number_of_items_workers_and_grain),
    PROMISE(a_callback_finds_the_array_of_results_as_the_caller_left_it),
    PROMISE(a_map_in_place_works),
    PROMISE(what_a_callback_writes_stays_in_its_process_unless_it_is_shared),
    PROMISE(every_worker_starts_from_the_memory_at_the_call),
    PROMISE(ranges_cover_every_index_once),
    PROMISE(a_sum_has_the_bits_that_it_has_on_threads),
    PROMISE(an_accumulator_may_be_large),
    PROMISE(results_of_any_length_come_back_and_can_be_used_again),
    PROMISE(earlier_results_are_there_in_the_workers),
    PROMISE(items_that_fail_are_told_with_their_codes),
    PROMISE(workers_have_indices_below_their_number),
    PROMISE(a_callback_may_call_on_threads_and_in_processes),
    {NULL, NULL},
};
