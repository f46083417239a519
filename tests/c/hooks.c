/* worker_start and worker_stop: once around the items of each worker that has any, on the worker's own thread. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <pthread.h>

#define WORKERS 4
#define MANY 200

static int numbers[MANY];
static par_report report;

/* What happened on each worker of the call. */
typedef struct diary {
    pthread_t thread;
    int starts, refusals, items, stops, inside;
} diary;
static diary diaries[WORKERS];
static int starts, stops, refusals, items_run;
static int refuse; /* how many workers to refuse */

static int start(size_t worker, void *ctx)
{
    diary *d = &diaries[worker];
    CHECK(ctx == diaries);
    CHECK(worker < WORKERS);
    CHECK_EQUAL(par_worker_index(), worker);
    CHECK_EQUAL(LOAD(d->inside), 0);
    if (ADD(refusals, 1) <= refuse) {
        ADD(d->refusals, 1);
        return 1;
    }
    d->thread = pthread_self();
    d->starts++;
    d->inside = 1;
    ADD(starts, 1);
    return 0;
}

static void ended(diary *d)
{
    CHECK_EQUAL(d->inside, 1);
    CHECK(pthread_equal(d->thread, pthread_self()));
}

static int stop(size_t worker, void *ctx)
{
    CHECK(ctx == diaries);
    CHECK_EQUAL(par_worker_index(), worker);
    ended(&diaries[worker]);
    diaries[worker].inside = 0;
    diaries[worker].stops++;
    ADD(stops, 1);
    return 0;
}

static int item(const void *in, void *out, void *ctx)
{
    diary *d = &diaries[par_worker_index()];
    (void)out, (void)ctx;
    ended(d);
    d->items++;
    ADD(items_run, 1);
    sleep_ms(1);
    return *(const int *)in;
}

static par_options hooked(void)
{
    par_options options = reporting_to(&report);
    memset(diaries, 0, sizeof diaries);
    memset(numbers, 0, sizeof numbers);
    starts = stops = refusals = items_run = refuse = 0;
    options.workers = WORKERS;
    options.worker_start = start;
    options.worker_stop = stop;
    options.worker_ctx = diaries;
    return options;
}

static par_status map(size_t n, const par_options *options)
{
    return par_map(item, NULL, numbers, sizeof numbers[0], NULL, 0, n, options);
}

/* No worker started and did nothing, and every start has its stop. */
static void check_diaries(void)
{
    CHECK_EQUAL(starts, stops);
    for (int w = 0; w < WORKERS; w++) {
        CHECK_EQUAL(diaries[w].starts, diaries[w].stops);
        CHECK(diaries[w].starts <= 1);
        CHECK_EQUAL(diaries[w].items > 0, diaries[w].starts > 0);
        CHECK_EQUAL(diaries[w].inside, 0);
    }
}

static void hooks_run_once_around_the_items_of_each_worker(void)
{
    for (int round = 0; round < 5; round++) {
        par_options options = hooked();
        CHECK_EQUAL(map(MANY, &options), PAR_OK);
        CHECK_EQUAL(items_run, MANY);
        CHECK(starts >= 1);
        check_diaries();
    }
}

static void a_worker_without_items_runs_neither_hook(void)
{
    for (size_t workers = 1; workers <= WORKERS; workers++) {
        par_options options = hooked();
        options.workers = workers;
        CHECK_EQUAL(map(1, &options), PAR_OK);
        CHECK_EQUAL(starts, 1);
        check_diaries();

        options = hooked();
        options.workers = workers;
        CHECK_EQUAL(map(0, &options), PAR_OK);
        CHECK_EQUAL(starts, 0);
        CHECK_EQUAL(stops, 0);
    }
}

static int range(size_t begin, size_t end, void *ctx)
{
    const int nothing = 0;
    for (size_t i = begin; i < end; i++)
        item(&nothing, NULL, ctx);
    return 0;
}

static int fold(size_t begin, size_t end, void *acc, void *ctx)
{
    *(size_t *)acc += end - begin;
    return range(begin, end, ctx);
}

static int add(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(size_t *)acc += *(const size_t *)other;
    return 0;
}

static void hooks_run_around_ranges_and_reductions_too(void)
{
    size_t sum = 0;
    par_options options = hooked();
    CHECK_EQUAL(par_for(range, NULL, MANY, &options), PAR_OK);
    CHECK_EQUAL(items_run, MANY);
    check_diaries();

    options = hooked();
    CHECK_EQUAL(par_reduce(fold, add, NULL, &sum, sizeof sum, MANY, &options), PAR_OK);
    CHECK_EQUAL(sum, MANY);
    check_diaries();
}

static void worker_stop_runs_after_a_failure_too(void)
{
    for (int round = 0; round < 5; round++) {
        par_options options = hooked();
        numbers[5] = 9;
        CHECK_EQUAL(map(MANY, &options), PAR_EITEM);
        CHECK_EQUAL(report.first.code, 9);
        check_diaries();
    }
}

static int poll(const par_progress *progress, void *ctx)
{
    (void)ctx;
    return progress->done > 10;
}

static void worker_stop_runs_after_a_poll_that_cancels_too(void)
{
    par_options options = hooked();
    options.poll = poll;
    options.poll_ms = 1;
    CHECK_EQUAL(map(MANY, &options), PAR_ECANCELED);
    check_diaries();
}

/* For calls without worker_start, which the diaries begin with. */
static int count_stop(size_t worker, void *ctx)
{
    (void)worker, (void)ctx;
    ADD(stops, 1);
    return 0;
}

static int nothing(const void *in, void *out, void *ctx)
{
    (void)in, (void)out, (void)ctx;
    return 0;
}

static void each_hook_can_stand_alone(void)
{
    par_options options = hooked();
    options.worker_stop = NULL;
    CHECK_EQUAL(map(MANY, &options), PAR_OK);
    CHECK(starts >= 1);

    options = hooked();
    options.worker_start = NULL;
    options.worker_stop = count_stop;
    CHECK_EQUAL(par_map(nothing, NULL, numbers, sizeof numbers[0], NULL, 0, MANY, &options), PAR_OK);
    CHECK(stops >= 1 && stops <= WORKERS);
}

static void where_some_workers_are_kept_out_the_others_run_all_items(void)
{
    for (int number = 1; number < WORKERS; number++) {
        par_options options = hooked();
        refuse = number;
        CHECK_EQUAL(map(MANY, &options), PAR_OK);
        CHECK_EQUAL(items_run, MANY);
        CHECK_EQUAL(report.done, MANY);
        for (int w = 0; w < WORKERS; w++)
            CHECK(diaries[w].refusals == 0 || diaries[w].items == 0);
        check_diaries();
    }
}

static void where_all_workers_are_kept_out_nothing_runs(void)
{
    static par_item items[MANY];
    for (size_t workers = 1; workers <= WORKERS; workers++) {
        par_options options = hooked();
        options.workers = workers;
        options.items = items;
        refuse = 1000;
        CHECK_EQUAL(map(MANY, &options), PAR_EWORKER);
        CHECK_EQUAL(items_run, 0);
        CHECK_EQUAL(stops, 0);
        CHECK_EQUAL(report.done, 0);
        CHECK_TEXT(report.message, "worker_start");
        for (int i = 0; i < MANY; i++)
            CHECK_EQUAL(items[i].state, PAR_ITEM_NOT_RUN);
    }
}

static void where_all_workers_are_kept_out_a_call_with_poll_ends_too(void)
{
    par_options options = hooked();
    options.poll = poll;
    options.poll_ms = 1;
    refuse = 1000;
    CHECK_EQUAL(map(MANY, &options), PAR_EWORKER);
    CHECK_EQUAL(items_run, 0);
}

const promise promises[] = {
    PROMISE(hooks_run_once_around_the_items_of_each_worker),
    PROMISE(a_worker_without_items_runs_neither_hook),
    PROMISE(hooks_run_around_ranges_and_reductions_too),
    PROMISE(worker_stop_runs_after_a_failure_too),
    PROMISE(worker_stop_runs_after_a_poll_that_cancels_too),
    PROMISE(each_hook_can_stand_alone),
    PROMISE(where_some_workers_are_kept_out_the_others_run_all_items),
    PROMISE(where_all_workers_are_kept_out_nothing_runs),
    PROMISE(where_all_workers_are_kept_out_a_call_with_poll_ends_too),
    {NULL, NULL},
};
