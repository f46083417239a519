/* Calls inside calls, calls from many threads at once, and whose items a waiting thread runs. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <pthread.h>

#define WIDTH 8

static int numbers[1000];

static void number_them(void)
{
    for (int i = 0; i < 1000; i++)
        numbers[i] = i;
}

static par_status map(par_map_fn fn, void *ctx, size_t n, size_t workers)
{
    par_options options = PAR_OPTIONS_INIT;
    options.workers = workers;
    return par_map(fn, ctx, numbers, sizeof numbers[0], NULL, 0, n, &options);
}

static int leaves;

static int level(const void *item, void *result, void *ctx)
{
    static int depth[] = {0, 1, 2};
    int here = *(int *)ctx;
    (void)item, (void)result;
    if (here == 2) {
        ADD(leaves, 1);
        return 0;
    }
    return map(level, &depth[here + 1], WIDTH, 3);
}

static void calls_can_be_three_deep(void)
{
    int top = 0;
    number_them();
    for (int round = 0; round < 20; round++) {
        leaves = 0;
        CHECK_EQUAL(map(level, &top, WIDTH, 3), PAR_OK);
        CHECK_EQUAL(leaves, WIDTH * WIDTH * WIDTH);
    }
}

static int fail_inside(const void *item, void *result, void *ctx)
{
    (void)result, (void)ctx;
    return *(const int *)item == 5 ? 55 : 0;
}

static int call_that_fails_inside(const void *item, void *result, void *ctx)
{
    par_report report;
    par_options options = reporting_to(&report);
    (void)result, (void)ctx;
    if (*(const int *)item != 3)
        return 0;
    CHECK_EQUAL(par_map(fail_inside, NULL, numbers, sizeof numbers[0], NULL, 0, 10, &options), PAR_EITEM);
    return report.first.code;
}

static void a_failure_inside_can_be_passed_on(void)
{
    par_report report;
    par_options options = reporting_to(&report);
    number_them();
    CHECK_EQUAL(par_map(call_that_fails_inside, NULL, numbers, sizeof numbers[0], NULL, 0, 8, &options), PAR_EITEM);
    CHECK_EQUAL(report.first_failed, 3);
    CHECK_EQUAL(report.first.code, 55);
}

static int square(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    (void)ctx;
    *(int *)result = x * x;
    return 0;
}

static void *map_20_times(void *ctx)
{
    int squares[1000];
    (void)ctx;
    for (int round = 0; round < 20; round++) {
        memset(squares, 0xff, sizeof squares);
        CHECK_EQUAL(par_map(square, NULL, numbers, sizeof numbers[0], squares, sizeof squares[0], 1000, NULL), PAR_OK);
        for (int i = 0; i < 1000; i++)
            CHECK_EQUAL(squares[i], i * i);
    }
    return NULL;
}

static void thirty_two_threads_can_call_at_once(void)
{
    pthread_t threads[32];
    number_them();
    for (int t = 0; t < 32; t++)
        CHECK_EQUAL(pthread_create(&threads[t], NULL, map_20_times, NULL), 0);
    for (int t = 0; t < 32; t++)
        CHECK_EQUAL(pthread_join(threads[t], NULL), 0);
}

/* What this thread is doing: the outer item that it is in, if any. */
static __thread const void *outer_here;
static int outer_items, inner_items;

static int inner(const void *item, void *result, void *outer)
{
    (void)item, (void)result;
    if (outer_here)
        CHECK(outer_here == outer); /* a thread that waits in one outer item runs items of that one's call only */
    ADD(inner_items, 1);
    sleep_ms(1);
    return 0;
}

static int outer(const void *item, void *result, void *ctx)
{
    par_status status;
    (void)result, (void)ctx;
    CHECK(outer_here == NULL); /* and never starts another outer item meanwhile */
    outer_here = item;
    ADD(outer_items, 1);
    status = map(inner, (void *)(uintptr_t)item, 16, 4);
    CHECK(outer_here == item);
    outer_here = NULL;
    return status;
}

static void *map_outer(void *ctx)
{
    (void)ctx;
    CHECK_EQUAL(map(outer, NULL, 10, 4), PAR_OK);
    return NULL;
}

static void a_waiting_thread_runs_items_of_its_own_inner_call_only(void)
{
    pthread_t threads[3];
    number_them();
    for (int t = 0; t < 3; t++)
        CHECK_EQUAL(pthread_create(&threads[t], NULL, map_outer, NULL), 0);
    map_outer(NULL);
    for (int t = 0; t < 3; t++)
        CHECK_EQUAL(pthread_join(threads[t], NULL), 0);
    CHECK_EQUAL(outer_items, 40);
    CHECK_EQUAL(inner_items, 40 * 16);
}

/* Two items that each wait for the other to begin: only two threads at once can finish them. */
static int wait_for_both(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    return !reaches(ctx, 2);
}

static void two_items_run_at_the_same_time_even_on_one_cpu(void)
{
    for (int round = 0; round < 20; round++) {
        int begun = 0;
        CHECK_EQUAL(map(wait_for_both, &begun, 2, 2), PAR_OK);
    }
}

static int call_two_inside(const void *item, void *result, void *ctx)
{
    int begun = 0;
    (void)item, (void)result, (void)ctx;
    return map(wait_for_both, &begun, 2, 2);
}

static void items_of_an_inner_call_run_at_the_same_time_too(void)
{
    CHECK_EQUAL(map(call_two_inside, NULL, 1, 2), PAR_OK);
}

#define WORKERS 5
static int taken[WORKERS];

static int take_index(const void *item, void *result, void *ctx)
{
    size_t mine = par_worker_index();
    (void)item, (void)result, (void)ctx;
    CHECK(mine < WORKERS);
    CHECK_EQUAL(ADD(taken[mine], 1), 1); /* nobody else has it now */
    sleep_ms(1);
    ADD(taken[mine], -1);
    return 0;
}

static void each_running_item_has_a_worker_index_of_its_own_below_the_number_of_workers(void)
{
    CHECK_EQUAL(par_worker_index(), 0);
    for (int round = 0; round < 5; round++)
        CHECK_EQUAL(map(take_index, NULL, 200, WORKERS), PAR_OK);
    CHECK_EQUAL(par_worker_index(), 0);
}

static int index_below_2(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    CHECK(par_worker_index() < 2);
    return 0;
}

static int call_between(const void *item, void *result, void *ctx)
{
    size_t before = par_worker_index();
    (void)item, (void)result, (void)ctx;
    CHECK_EQUAL(map(index_below_2, NULL, 20, 2), PAR_OK);
    CHECK_EQUAL(par_worker_index(), before);
    sleep_ms(1);
    return 0;
}

static void the_worker_index_is_restored_after_an_inner_call(void)
{
    CHECK_EQUAL(map(call_between, NULL, 100, WORKERS), PAR_OK);
}

static int poll_index(const par_progress *progress, void *ctx)
{
    (void)progress, (void)ctx;
    CHECK_EQUAL(par_worker_index(), 0);
    return 0;
}

static void with_poll_the_indices_stay_below_the_number_of_workers(void)
{
    par_options options = PAR_OPTIONS_INIT;
    options.workers = WORKERS;
    options.poll = poll_index;
    options.poll_ms = 1;
    CHECK_EQUAL(par_map(take_index, NULL, numbers, sizeof numbers[0], NULL, 0, 200, &options), PAR_OK);
}

const promise promises[] = {
    PROMISE(calls_can_be_three_deep),
    PROMISE(a_failure_inside_can_be_passed_on),
    PROMISE(thirty_two_threads_can_call_at_once),
    PROMISE(a_waiting_thread_runs_items_of_its_own_inner_call_only),
    PROMISE(two_items_run_at_the_same_time_even_on_one_cpu),
    PROMISE(items_of_an_inner_call_run_at_the_same_time_too),
    PROMISE(each_running_item_has_a_worker_index_of_its_own_below_the_number_of_workers),
    PROMISE(the_worker_index_is_restored_after_an_inner_call),
    PROMISE(with_poll_the_indices_stay_below_the_number_of_workers),
    {NULL, NULL},
};
