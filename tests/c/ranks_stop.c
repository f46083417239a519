/* Calls on ranks that fail, are stopped, or do not match: every rank hears of it. */
#include "ranks.h"

#define N 400
#define UNTOUCHED 0x5a5a5a5a

static int in[N], out[N];
static par_item items[N];
static volatile int stop;

static par_options with_items(size_t workers)
{
    par_options options = on_ranks(workers);
    for (int i = 0; i < N; i++) {
        in[i] = rank == 0 ? i : -1;
        out[i] = UNTOUCHED;
    }
    options.items = items;
    return options;
}

static par_status map(par_map_fn fn, size_t n, const par_options *options)
{
    return par_map(fn, NULL, in, sizeof in[0], out, sizeof out[0], n, options);
}

/* Each rank was told the same, and what did not run was left alone. */
static void check_outcomes(void)
{
    size_t done = 0, failed = 0;
    for (int i = 0; i < N; i++) {
        done += items[i].state != PAR_ITEM_NOT_RUN;
        failed += items[i].state == PAR_ITEM_FAILED;
        CHECK(items[i].state != PAR_ITEM_OK || out[i] == i);
        CHECK(items[i].state != PAR_ITEM_NOT_RUN || out[i] == UNTOUCHED);
    }
    CHECK_EQUAL(report.done, done);
    CHECK_EQUAL(report.failed, failed);
    CHECK_EQUAL(all((long long)done), (long long)done * size);
    CHECK_EQUAL(all((long long)report.first_failed), (long long)report.first_failed * size);
}

static int one_ms(const void *item, void *result, void *ctx)
{
    (void)ctx;
    sleep_ms(1);
    *(int *)result = *(const int *)item;
    return 0;
}

static int fail_at_7(const void *item, void *result, void *ctx)
{
    one_ms(item, result, ctx);
    return *(const int *)item % 100 == 7 ? 40 + *(const int *)item / 100 : 0;
}

static void an_item_that_fails_anywhere_is_known_on_every_rank(void)
{
    for (size_t workers = 1; workers <= 2; workers++) {
        par_options options = with_items(workers);
        options.flags = PAR_KEEP_GOING;
        check(map(fail_at_7, N, &options), PAR_EITEM);
        check_outcomes();
        CHECK(report.done == N && report.failed == N / 100 && report.first_failed == 7 && report.first.code == 40);
        for (int i = 7; i < N; i += 100)
            CHECK(items[i].state == PAR_ITEM_FAILED && items[i].code == 40 + i / 100);

        options = with_items(workers);
        options.items = rank == size - 1 ? items : NULL; /* only the last rank asks */
        options.flags = PAR_KEEP_GOING;
        check(map(fail_at_7, N, &options), PAR_EITEM);
        CHECK(rank != size - 1 || (items[207].state == PAR_ITEM_FAILED && items[208].state == PAR_ITEM_OK));
    }
}

static int fail_at_200(const void *item, void *result, void *ctx)
{
    one_ms(item, result, ctx);
    return *(const int *)item == 200 ? 3 : 0;
}

static void a_failure_stops_all_ranks_and_what_did_not_run_is_untouched(void)
{
    for (size_t workers = 1; workers <= 2; workers++) {
        par_options options = with_items(workers);
        check(map(fail_at_200, N, &options), PAR_EITEM);
        check_outcomes();
        CHECK(report.failed == 1 && report.first_failed == 200 && report.first.code == 3);
        CHECK_TEXT(report.message, "par_map: item 200 failed with code 3");
    }
}

static int fail_odd(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx, (void)end;
    *(long *)acc += (long)begin;
    return begin % 2 ? 9 : 0;
}

static int add(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(long *)acc += *(const long *)other;
    return 0;
}

static void a_reduce_keeps_going_without_the_ranges_that_fail(void)
{
    long acc = 0;
    par_options options = with_items(2);
    options.flags = PAR_KEEP_GOING;
    check(par_reduce(fail_odd, add, NULL, &acc, sizeof acc, N, &options), PAR_EITEM);
    CHECK_EQUAL(acc, (N / 2) * (N / 2 - 1));
    CHECK(report.done == N && report.failed == N / 2 && report.first_failed == 1);
    for (int i = 0; i < N; i++)
        CHECK_EQUAL(items[i].state, i % 2 ? PAR_ITEM_FAILED : PAR_ITEM_OK);
    acc = 5;
    options.flags = 0;
    check(par_reduce(fail_odd, add, NULL, &acc, sizeof acc, N, &options), PAR_EITEM);
    CHECK_EQUAL(acc, 5);
}

static int stop_at_20(const void *item, void *result, void *ctx)
{
    if (*(const int *)item == 20 || rank != 0)
        stop = 1; /* on other ranks it means nothing */
    return one_ms(item, result, ctx);
}

static void rank_0s_flag_stops_all_ranks(void)
{
    par_options options = with_items(2);
    stop = rank == 0;
    options.cancel = &stop;
    check(map(one_ms, N, &options), PAR_ECANCELED);
    CHECK_EQUAL(report.done, 0);
    check_outcomes();

    options = with_items(2);
    stop = 0;
    options.cancel = &stop;
    par_status status = map(stop_at_20, N, &options);
    CHECK(status == PAR_ECANCELED || report.done == N); /* unless another rank had item 20 */
    check_outcomes();
}

static void rank_0s_deadline_stops_all_ranks(void)
{
    par_options options = with_items(1);
    options.timeout_ms = rank == 0 ? 40 : 1;
    par_status status = map(one_ms, N, &options);
    CHECK(status == PAR_ETIMEDOUT || report.done == N);
    CHECK(size > 2 || status == PAR_ETIMEDOUT);
    check_outcomes();
}

static int twenty_ms(const void *item, void *result, void *ctx)
{
    sleep_ms(19);
    return one_ms(item, result, ctx);
}

/* A rank that works on one thread hears of it before it has done its 80 items. */
static void a_deadline_holds_amid_a_long_grain(void)
{
    par_options options = with_items(1);
    options.grain = N / 5;
    options.timeout_ms = 100;
    check(map(twenty_ms, N, &options), PAR_ETIMEDOUT);
    CHECK(size == 1 || report.wall_ns < 1000000000);
    check_outcomes();
}

static int polls;
static size_t seen;

static int watch(const par_progress *progress, void *ctx)
{
    (void)ctx;
    CHECK(progress->n == N && progress->done <= N && progress->done >= seen);
    seen = progress->done;
    return ++polls == 10 && stop;
}

static void poll_on_rank_0_sees_the_work_of_all_and_may_stop_it(void)
{
    for (stop = 0; stop <= 1; stop++) {
        par_options options = with_items(1);
        polls = 0;
        seen = 0;
        options.poll = watch;
        options.poll_ms = 2;
        par_status status = map(one_ms, N, &options);
        check(status, stop && report.done < N ? PAR_ECANCELED : PAR_OK);
        CHECK_EQUAL(seen > 0 || polls > 0, rank == 0);
        CHECK(rank != 0 || (seen == report.done && polls >= 5));
        check_outcomes();
    }
}

enum { WIDE = 400, WIDES = 30000 };

static int naps;

static int wide(const void *item, void *result, void *ctx)
{
    (void)ctx;
    memset(result, 1, WIDE);
    if (rank != 0 && *(const int *)item % 199 == 0 && naps++ < 6)
        sleep_ms(400);
    return 0;
}

static unsigned long long polled, longest;

static int measure(const par_progress *progress, void *ctx)
{
    (void)ctx;
    if (progress->elapsed_ns - polled > longest)
        longest = progress->elapsed_ns - polled;
    polled = progress->elapsed_ns;
    return 0;
}

/* Brief items are fetched ahead, so that a rank may begin a long one while its results are on their way. */
static void poll_is_called_while_a_rank_sends_and_is_in_an_item(void)
{
    static int wide_in[WIDES];
    static char wide_out[WIDES][WIDE];
    par_options options = on_ranks(1);
    options.poll = measure;
    options.poll_ms = 5;
    polled = longest = 0;
    naps = 0;
    for (int i = 0; i < WIDES; i++)
        wide_in[i] = i;
    check(par_map(wide, NULL, wide_in, sizeof wide_in[0], wide_out, WIDE, WIDES, &options), PAR_OK);
    CHECK(longest < 300000000);
}

static int started, stopped;

static int start(size_t worker, void *ctx)
{
    CHECK(worker < 3);
    ADD(started, 1);
    return *(int *)ctx;
}

static int end(size_t worker, void *ctx)
{
    (void)worker, (void)ctx;
    ADD(stopped, 1);
    return 0;
}

static void hooks_run_around_each_worker_that_takes_part(void)
{
    int refuse = 0;
    par_options options = with_items(3);
    started = stopped = 0;
    options.worker_start = start;
    options.worker_stop = end;
    options.worker_ctx = &refuse;
    check(map(one_ms, N, &options), PAR_OK);
    CHECK_EQUAL(started, stopped);
    CHECK_EQUAL(all(started), (long long)report.workers);

    options = with_items(2); /* rank 0's workers stay out: those of other ranks do it all */
    started = stopped = 0;
    refuse = rank == 0;
    options.worker_start = start;
    options.worker_ctx = &refuse;
    check(map(one_ms, N, &options), size > 1 ? PAR_OK : PAR_EWORKER);
    check_outcomes();

    options = with_items(2); /* all others' stay out */
    refuse = rank != 0;
    options.worker_start = start;
    options.worker_ctx = &refuse;
    check(map(one_ms, N, &options), PAR_OK);
    check_outcomes();

    options = with_items(2);
    refuse = 1;
    options.worker_start = start;
    options.worker_ctx = &refuse;
    check(map(one_ms, N, &options), PAR_EWORKER);
    CHECK_EQUAL(report.done, 0);
}

static int nothing(size_t begin, size_t last, void *ctx)
{
    (void)begin, (void)last, (void)ctx;
    return 0;
}

#define CHECK_UNLIKE(call, sentence) \
    do { \
        par_options options = with_items(1); \
        int odd = size > 1 && rank == size - 1; \
        (void)odd; \
        par_status status = call; \
        check(status, size > 1 ? PAR_EINVAL : PAR_OK); \
        if (size > 1) \
            CHECK_TEXT(report.message, sentence); \
    } while (0)

static void calls_that_do_not_match_are_refused_on_every_rank(void)
{
    CHECK_UNLIKE(map(one_ms, odd ? 10 : 12, &options), "n is 12 on rank 0 but 10 on rank ");
    CHECK_UNLIKE(map(odd ? one_ms : fail_at_200, 12, &options), "fn is ");
    CHECK_UNLIKE(odd ? par_for(nothing, NULL, 12, &options) : map(one_ms, 12, &options), "rank 0 calls par_map but rank ");
    CHECK_UNLIKE(par_map(one_ms, NULL, in, sizeof in[0], out, odd ? 8 : 4, 12, &options), "out_size is 4 on rank 0 but 8");
    CHECK_UNLIKE((options.flags = odd ? PAR_KEEP_GOING : 0, map(one_ms, 12, &options)), "PAR_KEEP_GOING is 0 on rank 0");
    CHECK_UNLIKE((options.grain = odd ? 3 : 2, map(one_ms, 12, &options)), "grain is 2 on rank 0 but 3");
    par_options options = with_items(2);
    check(map(one_ms, N, &options), PAR_OK); /* and the next call is fine */
    check_outcomes();
}

static void a_call_that_one_rank_refuses_is_refused_on_all(void)
{
    on_ranks(1); /* says how many there are */
    for (int who = 0; who < size; who++) {
        par_options options = with_items(1);
        check(par_map(one_ms, NULL, in, rank == who ? 0 : 4, out, sizeof out[0], 9, &options), PAR_EINVAL);
        CHECK_TEXT(report.message, "in_size is 0 but n is 9");
        options = with_items(1);
        options.item_timeout_ms = rank == who ? 5 : 0;
        check(map(one_ms, 9, &options), rank == who ? PAR_ENOTSUP : PAR_EINVAL);
        CHECK_TEXT(report.message, "item_timeout_ms");
        CHECK_EQUAL(out[0], UNTOUCHED);
    }
}

const promise promises[] = {
    PROMISE(an_item_that_fails_anywhere_is_known_on_every_rank),
    PROMISE(a_failure_stops_all_ranks_and_what_did_not_run_is_untouched),
    PROMISE(a_reduce_keeps_going_without_the_ranges_that_fail),
    PROMISE(rank_0s_flag_stops_all_ranks),
    PROMISE(rank_0s_deadline_stops_all_ranks),
    PROMISE(a_deadline_holds_amid_a_long_grain),
    PROMISE(poll_on_rank_0_sees_the_work_of_all_and_may_stop_it),
    PROMISE(poll_is_called_while_a_rank_sends_and_is_in_an_item),
    PROMISE(hooks_run_around_each_worker_that_takes_part),
    PROMISE(calls_that_do_not_match_are_refused_on_every_rank),
    PROMISE(a_call_that_one_rank_refuses_is_refused_on_all),
    {NULL, NULL},
};
