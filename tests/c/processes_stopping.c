/* The ways to stop a call in forked workers, and the functions that look on. */
#define _GNU_SOURCE
#include "promise.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define N 1000

static par_report report;
static par_item items[N];
static int in[N], out[N];
static volatile int stop;

typedef struct counts {
    int started, ended, starts, stops, calls;
    volatile int stop;
    pid_t pids[16];
} counts;
static counts *shared;

static par_options stoppable(void)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.workers = 3;
    options.items = items;
    options.cancel = &stop;
    stop = 0;
    shared = par_shm_alloc(sizeof *shared);
    for (int i = 0; i < N; i++) {
        in[i] = i;
        out[i] = -1;
    }
    return options;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static par_status map(par_map_fn fn, size_t n, const par_options *options)
{
    return par_map(fn, NULL, in, sizeof in[0], out, sizeof out[0], n, options);
}

static int ten_ms(const void *item, void *result, void *ctx)
{
    (void)ctx;
    ADD(shared->started, 1);
    sleep_ms(10);
    ADD(shared->ended, 1);
    *(int *)result = *(const int *)item;
    return 0;
}

/* Short items were not cut off: what began has ended, the others are untouched, and the report counts the same. */
static void check_stopped_between_items(void)
{
    size_t done = 0;
    for (int i = 0; i < N; i++) {
        CHECK(items[i].state == PAR_ITEM_OK || items[i].state == PAR_ITEM_NOT_RUN);
        CHECK_EQUAL(out[i], items[i].state == PAR_ITEM_OK ? i : -1);
        done += items[i].state == PAR_ITEM_OK;
    }
    CHECK(done < N);
    CHECK_EQUAL(shared->started, done);
    CHECK_EQUAL(shared->ended, done);
    CHECK_EQUAL(report.done, done);
    CHECK_EQUAL(report.failed, 0);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void a_call_canceled_before_it_begins_runs_nothing(void)
{
    par_options options = stoppable();
    stop = 1;
    CHECK_EQUAL(map(ten_ms, N, &options), PAR_ECANCELED);
    CHECK_EQUAL(report.done, 0);
    check_stopped_between_items();
    CHECK_EQUAL(map(ten_ms, 0, &options), PAR_OK);
}

static void *stop_soon(void *ctx)
{
    CHECK(reaches(&shared->started, 5));
    *(volatile int *)ctx = 1;
    return NULL;
}

static void a_thread_of_the_host_can_cancel(void)
{
    pthread_t thread;
    par_options options = stoppable();
    CHECK_EQUAL(pthread_create(&thread, NULL, stop_soon, (void *)&stop), 0);
    CHECK_EQUAL(map(ten_ms, N, &options), PAR_ECANCELED);
    pthread_join(thread, NULL);
    check_stopped_between_items();
    CHECK_TEXT(report.message, "par_map: stopped by the cancel flag after ");
}

static void on_alarm(int number)
{
    (void)number;
    stop = 1;
}

static void a_signal_handler_can_cancel(void)
{
    par_options options = stoppable();
    signal(SIGALRM, on_alarm);
    const struct itimerval soon = {{0, 0}, {0, 100000}};
    CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
    CHECK_EQUAL(map(ten_ms, N, &options), PAR_ECANCELED);
    check_stopped_between_items();
}

static int cancel_from_item_10(const void *item, void *result, void *ctx)
{
    if (*(const int *)item == 10)
        shared->stop = 1;
    return ten_ms(item, result, ctx);
}

static void a_worker_can_cancel_through_shared_memory(void)
{
    par_options options = stoppable();
    options.cancel = &shared->stop;
    CHECK_EQUAL(map(cancel_from_item_10, N, &options), PAR_ECANCELED);
    check_stopped_between_items();
}

static void a_deadline_stops_the_call(void)
{
    par_options options = stoppable();
    options.timeout_ms = 100;
    CHECK_EQUAL(map(ten_ms, N, &options), PAR_ETIMEDOUT);
    check_stopped_between_items();
    CHECK_TEXT(report.message, "par_map: timeout_ms of 100 passed after ");
}

static int hang(const void *item, void *result, void *ctx)
{
    (void)result, (void)ctx;
    shared->pids[*(const int *)item] = getpid();
    ADD(shared->started, 1);
    while (pause())
        ;
    return 0;
}

/* Items that hang do not hold the call up, and their workers are gone. */
static void check_hung_items_were_ended(uint32_t state, int code)
{
    CHECK_EQUAL(shared->started, 3);
    for (int i = 0; i < N; i++)
        CHECK_EQUAL(out[i], -1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(items[i].state, state);
        CHECK_EQUAL(items[i].code, code);
        CHECK(kill(shared->pids[i], 0) < 0 && errno == ESRCH);
    }
    CHECK_EQUAL(items[3].state, PAR_ITEM_NOT_RUN);
    CHECK_EQUAL(report.done, 3);
    CHECK_EQUAL(report.failed, 3);
}

static void a_deadline_ends_items_that_hang(void)
{
    double begin = seconds();
    par_options options = stoppable();
    options.timeout_ms = 200;
    CHECK_EQUAL(map(hang, N, &options), PAR_ETIMEDOUT);
    CHECK(seconds() - begin < 30);
    check_hung_items_were_ended(PAR_ITEM_TIMED_OUT, 0);
    CHECK_TEXT(report.message, "still ran and were ended: 3");
}

static void *stop_when_all_hang(void *ctx)
{
    (void)ctx;
    CHECK(reaches(&shared->started, 3));
    stop = 1;
    return NULL;
}

static void a_cancel_ends_items_that_hang(void)
{
    pthread_t thread;
    par_options options = stoppable();
    CHECK_EQUAL(pthread_create(&thread, NULL, stop_when_all_hang, NULL), 0);
    CHECK_EQUAL(map(hang, N, &options), PAR_ECANCELED);
    pthread_join(thread, NULL);
    check_hung_items_were_ended(PAR_ITEM_SIGNALED, SIGKILL);
}

static int hang_or_fail(const void *item, void *result, void *ctx)
{
    if (*(const int *)item < 2)
        return hang(item, result, ctx);
    CHECK(reaches(&shared->started, 2));
    return 7;
}

static void a_deadline_ends_items_that_hang_after_another_has_failed(void)
{
    par_options options = stoppable();
    options.timeout_ms = 300;
    CHECK_EQUAL(map(hang_or_fail, N, &options), PAR_EITEM);
    CHECK_EQUAL(items[2].state, PAR_ITEM_FAILED);
    CHECK_EQUAL(items[2].code, 7);
    CHECK(items[0].state == PAR_ITEM_TIMED_OUT && items[1].state == PAR_ITEM_TIMED_OUT);
    CHECK(kill(shared->pids[0], 0) < 0 && kill(shared->pids[1], 0) < 0);
}

static int hang_at_start(size_t worker, void *ctx)
{
    const int item = (int)worker;
    return hang(&item, NULL, ctx);
}

static void a_deadline_ends_worker_hooks_that_hang(void)
{
    par_options options = stoppable();
    options.timeout_ms = 200;
    options.worker_start = hang_at_start;
    CHECK_EQUAL(map(ten_ms, N, &options), PAR_ETIMEDOUT);
    CHECK_EQUAL(report.done, 0);
    for (int i = 0; i < shared->started; i++)
        CHECK(kill(shared->pids[i], 0) < 0 && errno == ESRCH);
}

static pthread_t caller;
static size_t last_done;

static int look_on(const par_progress *progress, void *ctx)
{
    CHECK(pthread_equal(pthread_self(), caller));
    CHECK_EQUAL(progress->n, 50);
    CHECK(progress->done >= last_done && progress->failed <= progress->done);
    last_done = progress->done;
    shared->calls++;
    return ctx != NULL && progress->done >= 10;
}

static void poll_looks_on_from_the_calling_thread(void)
{
    par_options options = stoppable();
    caller = pthread_self();
    options.poll = look_on;
    options.poll_ms = 5;
    CHECK_EQUAL(map(ten_ms, 50, &options), PAR_OK);
    CHECK(shared->calls > 5);
    CHECK_EQUAL(last_done, 50);
}

static void a_poll_that_returns_non_zero_cancels(void)
{
    par_options options = stoppable();
    caller = pthread_self();
    options.poll = look_on;
    options.poll_ctx = &options;
    options.poll_ms = 5;
    CHECK_EQUAL(map(ten_ms, 50, &options), PAR_ECANCELED);
    CHECK_TEXT(report.message, "stopped by poll after ");
}

static __thread size_t this_worker = SIZE_MAX;

static int start(size_t worker, void *ctx)
{
    CHECK_EQUAL(worker, par_worker_index());
    this_worker = worker;
    ADD(shared->starts, 1);
    return ctx != NULL && worker < (size_t)(uintptr_t)ctx;
}

static int stopped(size_t worker, void *ctx)
{
    (void)ctx;
    CHECK_EQUAL(worker, this_worker);
    ADD(shared->stops, 1);
    return 1;
}

static int started_here(const void *item, void *result, void *ctx)
{
    if (this_worker != par_worker_index())
        return 1;
    return ten_ms(item, result, ctx);
}

static void hooks_run_in_each_worker_before_its_first_item_and_after_its_last(void)
{
    par_options options = stoppable();
    options.worker_start = start;
    options.worker_stop = stopped;
    CHECK_EQUAL(map(started_here, 50, &options), PAR_OK);
    CHECK_EQUAL(shared->starts, 3);
    CHECK_EQUAL(shared->stops, 3);
}

static void where_some_workers_refuse_the_others_run_all_items(void)
{
    par_options options = stoppable();
    options.worker_start = start;
    options.worker_stop = stopped;
    options.worker_ctx = (void *)(uintptr_t)2;
    CHECK_EQUAL(map(started_here, 50, &options), PAR_OK);
    CHECK_EQUAL(report.done, 50);
    CHECK_EQUAL(report.workers, 1);
    CHECK_EQUAL(shared->starts, 3);
    CHECK_EQUAL(shared->stops, 1);
}

static void where_all_workers_refuse_the_call_says_so(void)
{
    par_options options = stoppable();
    options.worker_start = start;
    options.worker_ctx = (void *)(uintptr_t)3;
    CHECK_EQUAL(map(started_here, 50, &options), PAR_EWORKER);
    CHECK_EQUAL(report.done, 0);
    CHECK_TEXT(report.message, "worker_start refused");
}

static int one_byte(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)len, (void)ctx;
    return par_bytes_resize(result, 1);
}

static int last_wish;

static void *call_though_canceled(void *ctx)
{
    static par_bytes texts[20], results[20];
    int state;
    par_options options = stoppable();
    CHECK_EQUAL(pthread_cancel(pthread_self()), 0);
    *(par_status *)ctx = map(ten_ms, 20, &options);
    CHECK_EQUAL(report.done, 20);
    CHECK_EQUAL(par_map_bytes(one_byte, NULL, texts, results, 20, &options), PAR_OK); /* which closes a file */
    par_bytes_free(results, 20);
    CHECK_EQUAL(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state), 0);
    CHECK_EQUAL(state, PTHREAD_CANCEL_ENABLE);
    STORE(last_wish, 1);
    pthread_setcancelstate(state, NULL);
    pthread_testcancel();
    return NULL;
}

/* A cancel takes effect where its thread lets it, and there alone. */
static void a_pthread_cancel_reaches_its_thread_and_no_worker(void)
{
    pthread_t thread;
    void *end;
    par_status status = PAR_EINVAL;
    CHECK_EQUAL(pthread_create(&thread, NULL, call_though_canceled, &status), 0);
    CHECK_EQUAL(pthread_join(thread, &end), 0);
    CHECK(end == PTHREAD_CANCELED);
    CHECK_EQUAL(LOAD(last_wish), 1);
    CHECK_EQUAL(status, PAR_OK);
}

const promise promises[] = {
    PROMISE(a_call_canceled_before_it_begins_runs_nothing),
    PROMISE(a_thread_of_the_host_can_cancel),
    PROMISE(a_signal_handler_can_cancel),
    PROMISE(a_worker_can_cancel_through_shared_memory),
    PROMISE(a_deadline_stops_the_call),
    PROMISE(a_deadline_ends_items_that_hang),
    PROMISE(a_cancel_ends_items_that_hang),
    PROMISE(a_deadline_ends_items_that_hang_after_another_has_failed),
    PROMISE(a_deadline_ends_worker_hooks_that_hang),
    PROMISE(poll_looks_on_from_the_calling_thread),
    PROMISE(a_poll_that_returns_non_zero_cancels),
    PROMISE(hooks_run_in_each_worker_before_its_first_item_and_after_its_last),
    PROMISE(where_some_workers_refuse_the_others_run_all_items),
    PROMISE(where_all_workers_refuse_the_call_says_so),
    PROMISE(a_pthread_cancel_reaches_its_thread_and_no_worker),
    {NULL, NULL},
};
