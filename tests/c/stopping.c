/* The ways to stop a call, and the poll function that watches it. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <pthread.h>
#include <signal.h>

#define MANY 100000
#define UNTOUCHED 0x5a5a5a5a

static volatile int stop;
static int ran, started;
static int in[MANY], out[MANY];
static par_item items[MANY];
static par_report report;

static par_options stoppable(size_t workers)
{
    par_options options = reporting_to(&report);
    stop = 0;
    ran = started = 0;
    for (int i = 0; i < MANY; i++) {
        in[i] = i;
        out[i] = UNTOUCHED;
    }
    options.cancel = &stop;
    options.workers = workers;
    options.items = items;
    return options;
}

static par_status map(par_map_fn fn, size_t n, const par_options *options)
{
    return par_map(fn, NULL, in, sizeof in[0], out, sizeof out[0], n, options);
}

/* Some items ran, the others were left as they were, and the report counts the same. */
static void check_stopped_early(void)
{
    size_t done = 0;
    for (size_t i = 0; i < MANY; i++) {
        CHECK_EQUAL(items[i].code, 0);
        CHECK(items[i].state == PAR_ITEM_OK || items[i].state == PAR_ITEM_NOT_RUN);
        CHECK_EQUAL(out[i], items[i].state == PAR_ITEM_OK ? 1 : UNTOUCHED);
        done += items[i].state == PAR_ITEM_OK;
    }
    CHECK(done < MANY);
    CHECK_EQUAL(report.done, done);
    CHECK_EQUAL(ran, done);
    CHECK_EQUAL(report.failed, 0);
    CHECK_EQUAL(report.first_failed, SIZE_MAX);
    CHECK_TEXT(report.message, "par_map: ");
}

static int one_ms(const void *item, void *result, void *ctx)
{
    (void)item, (void)ctx;
    ADD(started, 1);
    sleep_ms(1);
    *(int *)result = 1;
    ADD(ran, 1);
    return 0;
}

static int at_once(const void *item, void *result, void *ctx)
{
    (void)item, (void)ctx;
    *(int *)result = 1;
    ADD(ran, 1);
    return 0;
}

static void a_call_canceled_before_it_begins_runs_nothing(void)
{
    for (size_t workers = 1; workers <= 4; workers++) {
        par_options options = stoppable(workers);
        stop = 1;
        CHECK_EQUAL(map(at_once, MANY, &options), PAR_ECANCELED);
        CHECK_EQUAL(ran, 0);
        check_stopped_early();
    }
}

static void a_canceled_call_without_items_is_complete(void)
{
    par_options options = stoppable(2);
    stop = 1;
    CHECK_EQUAL(map(at_once, 0, &options), PAR_OK);
}

static int stop_at_item_10(const void *item, void *result, void *ctx)
{
    if (*(const int *)item == 10)
        stop = 1;
    return one_ms(item, result, ctx);
}

static void a_callback_can_cancel_its_call(void)
{
    for (size_t workers = 1; workers <= 4; workers++) {
        par_options options = stoppable(workers);
        CHECK_EQUAL(map(stop_at_item_10, MANY, &options), PAR_ECANCELED);
        check_stopped_early();
        if (workers == 1)
            CHECK_EQUAL(ran, 11);
    }
}

static void *stop_after_a_few(void *ctx)
{
    (void)ctx;
    CHECK(reaches(&started, 5));
    stop = 1;
    return NULL;
}

static void another_thread_can_cancel_a_call(void)
{
    for (size_t workers = 1; workers <= 4; workers++) {
        par_options options = stoppable(workers);
        pthread_t thread;
        CHECK_EQUAL(pthread_create(&thread, NULL, stop_after_a_few, NULL), 0);
        CHECK_EQUAL(map(one_ms, MANY, &options), PAR_ECANCELED);
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        check_stopped_early();
    }
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int signal_at_item_10(const void *item, void *result, void *ctx)
{
    if (*(const int *)item == 10)
        CHECK_EQUAL(kill(getpid(), SIGINT), 0);
    return one_ms(item, result, ctx);
}

static void a_signal_handler_can_cancel_a_call(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK_EQUAL(sigaction(SIGINT, &action, NULL), 0);
    for (size_t workers = 1; workers <= 4; workers++) {
        par_options options = stoppable(workers);
        CHECK_EQUAL(map(signal_at_item_10, MANY, &options), PAR_ECANCELED);
        check_stopped_early();
    }
}

static void a_deadline_stops_a_call(void)
{
    for (size_t workers = 1; workers <= 4; workers++) {
        par_options options = stoppable(workers);
        options.timeout_ms = 30;
        CHECK_EQUAL(map(one_ms, MANY, &options), PAR_ETIMEDOUT);
        check_stopped_early();
        CHECK_TEXT(report.message, "timeout_ms");
        CHECK(report.wall_ns >= 30u * 1000 * 1000);
    }
}

static int hundred_ms(const void *item, void *result, void *ctx)
{
    sleep_ms(100);
    return at_once(item, result, ctx);
}

static void an_item_that_runs_at_the_deadline_is_finished_first(void)
{
    par_options options = stoppable(2);
    options.timeout_ms = 10;
    CHECK_EQUAL(map(hundred_ms, 1, &options), PAR_OK);
    CHECK_EQUAL(ran, 1);
    CHECK_EQUAL(report.done, 1);
}

static int stop_at_item_10_of_11(const void *item, void *result, void *ctx)
{
    if (*(const int *)item == 10)
        CHECK(reaches(&started, 10));
    return stop_at_item_10(item, result, ctx);
}

static void a_call_that_is_complete_was_not_canceled(void)
{
    for (size_t workers = 1; workers <= 3; workers++) {
        par_options options = stoppable(workers);
        CHECK_EQUAL(map(stop_at_item_10_of_11, 11, &options), PAR_OK);
        CHECK_EQUAL(ran, 11);
    }
}

/* What a poll function sees. */
typedef struct watch {
    pthread_t caller;
    par_progress last;
    int calls, cancel_at;
} watch;

static int look(const par_progress *progress, void *ctx)
{
    watch *w = ctx;
    CHECK(pthread_equal(pthread_self(), w->caller));
    CHECK(progress->size >= sizeof *progress);
    CHECK(progress->done >= w->last.done && progress->done <= progress->n);
    CHECK(progress->failed >= w->last.failed && progress->failed <= progress->done);
    CHECK(progress->elapsed_ns >= w->last.elapsed_ns);
    CHECK(w->calls == 0 || progress->n == w->last.n);
    w->last = *progress;
    return ADD(w->calls, 1) == w->cancel_at;
}

static par_options watched(watch *w, size_t workers)
{
    par_options options = stoppable(workers);
    memset(w, 0, sizeof *w);
    w->caller = pthread_self();
    options.poll = look;
    options.poll_ctx = w;
    options.poll_ms = 1;
    return options;
}

static void a_poll_that_returns_non_zero_cancels(void)
{
    for (size_t workers = 1; workers <= 4; workers++) {
        watch w;
        par_options options = watched(&w, workers);
        w.cancel_at = 5;
        CHECK_EQUAL(map(one_ms, MANY, &options), PAR_ECANCELED);
        check_stopped_early();
        CHECK_TEXT(report.message, "poll");
    }
}

static void poll_sees_the_end_on_the_calling_thread_and_numbers_that_never_fall(void)
{
    static const size_t lengths[] = {1, 2, 300};
    for (size_t l = 0; l < 3; l++)
        for (size_t workers = 1; workers <= 4; workers++) {
            watch w;
            par_options options = watched(&w, workers);
            CHECK_EQUAL(map(one_ms, lengths[l], &options), PAR_OK);
            CHECK_EQUAL(ran, lengths[l]);
            CHECK(w.calls >= 1);
            CHECK_EQUAL(w.last.n, lengths[l]);
            CHECK_EQUAL(w.last.done, lengths[l]);
            CHECK_EQUAL(w.last.failed, 0);
        }
}

static int fail_odd(const void *item, void *result, void *ctx)
{
    at_once(item, result, ctx);
    return *(const int *)item % 2;
}

static void poll_counts_the_items_that_fail(void)
{
    watch w;
    par_options options = watched(&w, 3);
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(map(fail_odd, 1000, &options), PAR_EITEM);
    CHECK_EQUAL(w.last.done, 1000);
    CHECK_EQUAL(w.last.failed, 500);
}

static void a_poll_that_says_no_after_the_last_item_changes_nothing(void)
{
    watch w;
    par_options options = watched(&w, 2);
    options.poll_ms = 60000; /* so that the only poll is the one at the end */
    w.cancel_at = 1;
    CHECK_EQUAL(map(at_once, 3, &options), PAR_OK);
    CHECK_EQUAL(w.calls, 1);
}

static watch patient;

/* Ends once poll has been called 20 times since the item began. */
static int wait_for_polls(const void *item, void *result, void *ctx)
{
    CHECK(reaches(&patient.calls, LOAD(patient.calls) + 20));
    return at_once(item, result, ctx);
}

static void poll_comes_on_time_while_one_item_runs_long(void)
{
    for (size_t workers = 1; workers <= 4; workers++) {
        par_options options = watched(&patient, workers);
        CHECK_EQUAL(map(wait_for_polls, 5, &options), PAR_OK);
        CHECK_EQUAL(ran, 5);
    }
}

static int add_range(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    CHECK(reaches(&patient.calls, LOAD(patient.calls) + 2));
    *(uint64_t *)acc += end - begin;
    return 0;
}

static int add_sums(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(uint64_t *)acc += *(const uint64_t *)other;
    return 0;
}

static void poll_watches_a_reduce_too(void)
{
    uint64_t acc = 0;
    par_options options = watched(&patient, 2);
    CHECK_EQUAL(par_reduce(add_range, add_sums, NULL, &acc, sizeof acc, 20, &options), PAR_OK);
    CHECK_EQUAL(acc, 20);
    CHECK_EQUAL(patient.last.done, 20);
}

static int fail_and_stop(const void *item, void *result, void *ctx)
{
    one_ms(item, result, ctx);
    stop = 1;
    return 4;
}

static void an_item_that_fails_while_the_call_is_canceled_is_still_told(void)
{
    par_options options = stoppable(1);
    par_status status = map(fail_and_stop, MANY, &options);
    CHECK(status == PAR_EITEM || status == PAR_ECANCELED);
    CHECK_EQUAL(report.failed, 1);
    CHECK_EQUAL(report.first_failed, 0);
    CHECK_EQUAL(report.first.code, 4);
}

const promise promises[] = {
    PROMISE(a_call_canceled_before_it_begins_runs_nothing),
    PROMISE(a_canceled_call_without_items_is_complete),
    PROMISE(a_callback_can_cancel_its_call),
    PROMISE(another_thread_can_cancel_a_call),
    PROMISE(a_signal_handler_can_cancel_a_call),
    PROMISE(a_deadline_stops_a_call),
    PROMISE(an_item_that_runs_at_the_deadline_is_finished_first),
    PROMISE(a_call_that_is_complete_was_not_canceled),
    PROMISE(a_poll_that_returns_non_zero_cancels),
    PROMISE(poll_sees_the_end_on_the_calling_thread_and_numbers_that_never_fall),
    PROMISE(poll_counts_the_items_that_fail),
    PROMISE(a_poll_that_says_no_after_the_last_item_changes_nothing),
    PROMISE(poll_comes_on_time_while_one_item_runs_long),
    PROMISE(poll_watches_a_reduce_too),
    PROMISE(an_item_that_fails_while_the_call_is_canceled_is_still_told),
    {NULL, NULL},
};
