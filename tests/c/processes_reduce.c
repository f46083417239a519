/* A reduce in forked workers: what a death or a hang costs. */
#define _GNU_SOURCE
#include "promise.h"

#include <fcntl.h>
#include <signal.h>

#define N 40
#define DEADLY 17

static par_report report;
static par_item items[N];

static par_options mortal(void)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.flags = PAR_KEEP_GOING;
    options.workers = 3;
    options.items = items;
    return options;
}

static int fold_or_fault(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    if (begin == DEADLY)
        raise(SIGSEGV);
    *(long *)acc += (long)(end - begin) << begin;
    return 0;
}

static int add(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(long *)acc += *(const long *)other;
    return 0;
}

static int add_or_fault(void *acc, const void *other, void *ctx)
{
    if (*(const long *)other == 1L << 3) {
        *(long *)acc = -1; /* leaves a mess before it dies */
        raise(SIGSEGV);
    }
    return add(acc, other, ctx);
}

static int fold(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    *(long *)acc += (long)(end - begin) << begin;
    return 0;
}

static void a_fold_or_a_combine_that_dies_costs_its_range_alone(void)
{
    for (int run = 0; run < 20; run++) {
        long acc = 0, all = (1L << N) - 1;
        par_options options = mortal();
        CHECK_EQUAL(par_reduce(fold_or_fault, add, NULL, &acc, sizeof acc, N, &options), PAR_EITEM);
        CHECK_EQUAL(acc, all - (1L << DEADLY));
        CHECK_EQUAL(report.first_failed, DEADLY);
        acc = 0;
        CHECK_EQUAL(par_reduce(fold, add_or_fault, NULL, &acc, sizeof acc, N, &options), PAR_EITEM);
        CHECK_EQUAL(acc, all - (1L << 3));
        CHECK_EQUAL(report.first_failed, 3);
        CHECK_EQUAL(items[3].state, PAR_ITEM_SIGNALED);
        acc = 0;
        options.flags = 0;
        CHECK_EQUAL(par_reduce(fold, add_or_fault, NULL, &acc, sizeof acc, N, &options), PAR_EITEM);
        CHECK_EQUAL(acc, 0);
    }
}

static int sleep_in_the_first(size_t begin, size_t end, void *acc, void *ctx)
{
    if (begin == 0)
        sleep_ms(150);
    return fold(begin, end, acc, ctx);
}

static int add_in_50(void *acc, const void *other, void *ctx)
{
    sleep_ms(50);
    return add(acc, other, ctx);
}

/* Behind the first range all others have lined up, and one worker adds them all. */
static void combines_within_their_time_are_left_alone_however_many_are_in_line(void)
{
    long acc = 0;
    par_options options = mortal();
    options.item_timeout_ms = 1500;
    CHECK_EQUAL(par_reduce(sleep_in_the_first, add_in_50, NULL, &acc, sizeof acc, N, &options), PAR_OK);
    CHECK_EQUAL(acc, (1L << N) - 1);
    CHECK_EQUAL(report.done, N);
}

static int say_and_fold(size_t begin, size_t end, void *acc, void *ctx)
{
    if (begin == DEADLY)
        printf("a line for which there is no room\n");
    return fold(begin, end, acc, ctx);
}

/* Its worker is ended while it prints what the fold has said: others may have added the result long since. */
static void a_range_that_is_folded_counts_though_its_worker_hangs_on(void)
{
    int ends[2], out = dup(STDOUT_FILENO);
    long acc = 0;
    par_options options = mortal();
    options.item_timeout_ms = 300;
    CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], "full", 4) > 0)
        ;
    CHECK_EQUAL(fcntl(ends[1], F_SETFL, 0), 0);
    CHECK_EQUAL(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    par_status status = par_reduce(say_and_fold, add, NULL, &acc, sizeof acc, N, &options);
    CHECK_EQUAL(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
    CHECK_EQUAL(status, PAR_OK);
    CHECK_EQUAL(acc, (1L << N) - 1);
    CHECK_EQUAL(items[DEADLY].state, PAR_ITEM_OK);
    CHECK_EQUAL(report.done, N);
    CHECK_EQUAL(report.failed, 0);
}

const promise promises[] = {
    PROMISE(a_fold_or_a_combine_that_dies_costs_its_range_alone),
    PROMISE(combines_within_their_time_are_left_alone_however_many_are_in_line),
    PROMISE(a_range_that_is_folded_counts_though_its_worker_hangs_on),
    {NULL, NULL},
};
