/* However a worker dies, that is its item's outcome, and the others complete. */
#define _GNU_SOURCE
#include "promise.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#define N 40
#define DEADLY 17

static par_report report;
static int in[N], out[N];
static par_item items[N];

static par_options mortal(void)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.flags = PAR_KEEP_GOING;
    options.workers = 3;
    options.items = items;
    for (int i = 0; i < N; i++) {
        in[i] = i;
        out[i] = -1;
    }
    return options;
}

static int deadly_or_square(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    if (x == DEADLY)
        (*(void (*const *)(void))ctx)();
    *(int *)result = x * x;
    return 0;
}

/* One item ends its worker in this way. */
static void check_death(void (*way)(void), uint64_t item_timeout_ms, uint32_t state, int code, const char *sentence)
{
    par_options options = mortal();
    options.item_timeout_ms = item_timeout_ms;
    CHECK_EQUAL(par_map(deadly_or_square, &way, in, sizeof in[0], out, sizeof out[0], N, &options), PAR_EITEM);
    for (int i = 0; i < N; i++) {
        CHECK_EQUAL(items[i].state, i == DEADLY ? state : PAR_ITEM_OK);
        CHECK_EQUAL(items[i].code, i == DEADLY ? code : 0);
        CHECK_EQUAL(out[i], i == DEADLY ? -1 : i * i);
    }
    CHECK_EQUAL(report.done, N);
    CHECK_EQUAL(report.failed, 1);
    CHECK_EQUAL(report.first_failed, DEADLY);
    CHECK_EQUAL(report.first.state, state);
    CHECK_EQUAL(report.first.code, code);
    CHECK_TEXT(report.message, sentence);
}

static void fault(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void a_segmentation_fault_is_the_items_outcome(void)
{
    check_death(fault, 0, PAR_ITEM_SIGNALED, SIGSEGV, "par_map: item 17 was ended by signal 11 (SIGSEGV)");
}

static int deeper(volatile char *above)
{
    volatile char room[4096];
    room[0] = above[0];
    return room[0] ? 0 : deeper(room) + room[0];
}

static void overflow(void)
{
    volatile char top[1] = {0};
    deeper(top);
}

static void a_stack_overflow_is_the_items_outcome(void)
{
    check_death(overflow, 0, PAR_ITEM_SIGNALED, SIGSEGV, "item 17 was ended by signal 11 (SIGSEGV)");
}

static void an_abort_is_the_items_outcome(void)
{
    check_death(abort, 0, PAR_ITEM_SIGNALED, SIGABRT, "item 17 was ended by signal 6 (SIGABRT)");
}

static void exit_3(void)
{
    exit(3);
}

static void an_exit_is_the_items_outcome(void)
{
    check_death(exit_3, 0, PAR_ITEM_EXITED, 3, "item 17 ended its worker with exit code 3");
}

static void exit_0_at_once(void)
{
    _exit(0);
}

static void an_exit_without_failure_is_no_success(void)
{
    check_death(exit_0_at_once, 0, PAR_ITEM_EXITED, 0, "item 17 ended its worker with exit code 0");
}

static void kill_itself(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

static void a_kill_is_the_items_outcome(void)
{
    check_death(kill_itself, 0, PAR_ITEM_SIGNALED, SIGKILL, "item 17 was ended by signal 9 (SIGKILL");
}

static void hang(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

static void a_hang_is_ended_and_is_the_items_outcome(void)
{
    check_death(hang, 100, PAR_ITEM_TIMED_OUT, 0, "item 17 ran longer than item_timeout_ms, 100, and was ended");
}

static int sleep_20(const void *item, void *result, void *ctx)
{
    (void)ctx;
    sleep_ms(20);
    *(int *)result = *(const int *)item;
    return 0;
}

static void items_within_their_time_are_left_alone_however_long_the_call(void)
{
    par_options options = mortal();
    options.item_timeout_ms = 5000;
    CHECK_EQUAL(par_map(sleep_20, NULL, in, sizeof in[0], out, sizeof out[0], N, &options), PAR_OK);
    CHECK_EQUAL(report.done, N);
}

static int always_fault(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    fault();
    return 0;
}

static void every_item_may_die(void)
{
    par_options options = mortal();
    CHECK_EQUAL(par_map(always_fault, NULL, in, sizeof in[0], out, sizeof out[0], N, &options), PAR_EITEM);
    for (int i = 0; i < N; i++) {
        CHECK_EQUAL(items[i].state, PAR_ITEM_SIGNALED);
        CHECK_EQUAL(out[i], -1);
    }
    CHECK_EQUAL(report.failed, N);
    CHECK_EQUAL(report.first_failed, 0);
}

static int fault_at_once_or_sleep(const void *item, void *result, void *ctx)
{
    ADD(*(int *)ctx, 1);
    if (*(const int *)item == 0)
        fault();
    sleep_ms(300);
    *(int *)result = 1;
    return 0;
}

static void without_keep_going_no_new_item_starts_after_a_death(void)
{
    int *started = par_shm_alloc(sizeof *started);
    par_options options = mortal();
    options.flags = 0;
    CHECK_EQUAL(par_map(fault_at_once_or_sleep, started, in, sizeof in[0], out, sizeof out[0], N, &options), PAR_EITEM);
    CHECK(*started <= 4);
    CHECK_EQUAL(items[0].state, PAR_ITEM_SIGNALED);
    for (int i = 1; i < N; i++) {
        CHECK(items[i].state == PAR_ITEM_OK || items[i].state == PAR_ITEM_NOT_RUN);
        CHECK_EQUAL(out[i], items[i].state == PAR_ITEM_OK ? 1 : -1);
    }
    CHECK_EQUAL(report.done, *started);
    CHECK_EQUAL(report.failed, 1);
    CHECK_TEXT(report.message, "did not run");
}

#define TINY 200000

static int tiny(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    unsigned char *runs = ctx;
    ADD(runs[x], 1);
    if (x % 20011 == 11)
        fault();
    *(int *)result = x;
    return 0;
}

static void a_death_among_tiny_items_costs_that_item_alone(void)
{
    static int numbers[TINY], results[TINY];
    static par_item outcomes[TINY];
    unsigned char *runs = par_shm_alloc(TINY);
    par_options options = mortal();
    options.items = outcomes;
    for (int i = 0; i < TINY; i++) {
        numbers[i] = i;
        results[i] = -1;
    }
    CHECK_EQUAL(par_map(tiny, runs, numbers, sizeof(int), results, sizeof(int), TINY, &options), PAR_EITEM);
    for (int i = 0; i < TINY; i++) {
        int dies = i % 20011 == 11;
        CHECK_EQUAL(runs[i], 1);
        CHECK_EQUAL(outcomes[i].state, dies ? PAR_ITEM_SIGNALED : PAR_ITEM_OK);
        CHECK_EQUAL(results[i], dies ? -1 : i);
    }
    CHECK_EQUAL(report.failed, 10);
}

/* Kills whichever workers there are, again and again. */
static volatile pid_t *workers;
static volatile int killing;

static int enlist(size_t worker, void *ctx)
{
    (void)ctx;
    workers[worker] = getpid();
    return 0;
}

static int leave(size_t worker, void *ctx)
{
    (void)ctx;
    workers[worker] = 0;
    return 0;
}

static void *kill_workers(void *ctx)
{
    unsigned random = 1;
    (void)ctx;
    while (killing) {
        struct timespec pause = {0, 200000 + (long)(random % 1000) * 2000};
        random = random * 1103515245 + 12345;
        nanosleep(&pause, NULL);
        /* Taken off the list first: nobody else's process is to get the signal. */
        pid_t worker = __atomic_exchange_n(&workers[random / 65536 % 4], 0, __ATOMIC_SEQ_CST);
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    return NULL;
}

static int tiny_and_immortal(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    unsigned char *runs = ctx;
    ADD(runs[x], 1);
    for (volatile int spin = 0; spin < 300; spin++)
        ;
    *(int *)result = x;
    return 0;
}

static void workers_killed_at_any_moment_lose_nothing_but_their_item(void)
{
    static int numbers[TINY], results[TINY];
    static par_item outcomes[TINY];
    unsigned char *runs = par_shm_alloc(TINY);
    pthread_t killer;
    size_t killed = 0;
    workers = par_shm_alloc(4 * sizeof *workers);
    killing = 1;
    CHECK_EQUAL(pthread_create(&killer, NULL, kill_workers, NULL), 0);
    for (int call = 0; call < 20; call++) {
        par_options options = mortal();
        options.workers = 4;
        options.worker_start = enlist;
        options.worker_stop = leave;
        options.items = outcomes;
        memset(runs, 0, TINY);
        for (int i = 0; i < TINY; i++) {
            numbers[i] = i;
            results[i] = -1;
        }
        par_status status = par_map(tiny_and_immortal, runs, numbers, sizeof(int), results, sizeof(int), TINY, &options);
        CHECK(status == PAR_OK || status == PAR_EITEM || status == PAR_EWORKER);
        size_t done = 0, failed = 0;
        for (int i = 0; i < TINY; i++) {
            CHECK(runs[i] <= 1);
            CHECK(outcomes[i].state != PAR_ITEM_OK || (runs[i] == 1 && results[i] == i));
            CHECK(outcomes[i].state != PAR_ITEM_NOT_RUN || runs[i] == 0);
            CHECK(outcomes[i].state != PAR_ITEM_SIGNALED || outcomes[i].code == SIGKILL);
            done += outcomes[i].state != PAR_ITEM_NOT_RUN;
            failed += outcomes[i].state == PAR_ITEM_SIGNALED;
        }
        CHECK_EQUAL(report.done, done);
        CHECK_EQUAL(report.failed, failed);
        CHECK(status == PAR_EWORKER || done == TINY);
        killed += failed;
    }
    killing = 0;
    pthread_join(killer, NULL);
    CHECK(killed > 0);
}

static int fault_in_range(size_t begin, size_t end, void *ctx)
{
    (void)ctx;
    if (begin <= DEADLY && DEADLY < end)
        fault();
    return 0;
}

static void a_range_that_dies_marks_all_its_indices(void)
{
    par_options options = mortal();
    options.grain = 8;
    CHECK_EQUAL(par_for(fault_in_range, NULL, N, &options), PAR_EITEM);
    CHECK_EQUAL(items[DEADLY].state, PAR_ITEM_SIGNALED);
    size_t failed = 0;
    for (int i = 0; i < N; i++) {
        CHECK(items[i].state == PAR_ITEM_OK || items[i].state == PAR_ITEM_SIGNALED);
        failed += items[i].state == PAR_ITEM_SIGNALED;
    }
    CHECK(failed >= 8);
    CHECK_EQUAL(report.failed, failed);
    CHECK_EQUAL(report.done, N);
}

static int copy_or_fault(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)ctx;
    CHECK_EQUAL(par_bytes_resize(result, 100), PAR_OK);
    if (len == DEADLY)
        fault();
    memset(result->data, *(const char *)item, 100);
    return 0;
}

static void results_of_any_length_survive_a_death(void)
{
    par_bytes texts[N], results[N];
    par_options options = mortal();
    memset(results, 0, sizeof results);
    for (size_t i = 0; i < N; i++) {
        texts[i].data = "x";
        texts[i].len = i;
    }
    CHECK_EQUAL(par_map_bytes(copy_or_fault, NULL, texts + 1, results + 1, N - 1, &options), PAR_EITEM);
    for (size_t i = 1; i < N; i++)
        CHECK(i == DEADLY ? results[i].data == NULL : results[i].len == 100 && *(char *)results[i].data == 'x');
    par_bytes_free(results, N);
}

static int fault_at_start(size_t worker, void *ctx)
{
    (void)worker;
    ADD(*(int *)ctx, 1);
    fault();
    return 0;
}

static void workers_that_die_before_any_item_are_given_up(void)
{
    int *starts = par_shm_alloc(sizeof *starts);
    par_options options = mortal();
    options.worker_start = fault_at_start;
    options.worker_ctx = starts;
    CHECK_EQUAL(par_map(sleep_20, NULL, in, sizeof in[0], out, sizeof out[0], N, &options), PAR_EWORKER);
    CHECK(*starts >= 3 && *starts <= 6);
    CHECK_EQUAL(report.done, 0);
    CHECK_TEXT(report.message, "SIGSEGV");
    CHECK_TEXT(report.message, "worker_start");
}

static int fault_at_stop(size_t worker, void *ctx)
{
    (void)worker, (void)ctx;
    fault();
    return 0;
}

static void a_worker_that_dies_in_worker_stop_has_done_its_items(void)
{
    par_options options = mortal();
    options.worker_stop = fault_at_stop;
    CHECK_EQUAL(par_map(sleep_20, NULL, in, sizeof in[0], out, sizeof out[0], N, &options), PAR_OK);
    CHECK_EQUAL(report.done, N);
    CHECK_TEXT(report.message, "worker_stop");
}

const promise promises[] = {
    PROMISE(a_segmentation_fault_is_the_items_outcome),
    PROMISE(a_stack_overflow_is_the_items_outcome),
    PROMISE(an_abort_is_the_items_outcome),
    PROMISE(an_exit_is_the_items_outcome),
    PROMISE(an_exit_without_failure_is_no_success),
    PROMISE(a_kill_is_the_items_outcome),
    PROMISE(a_hang_is_ended_and_is_the_items_outcome),
    PROMISE(items_within_their_time_are_left_alone_however_long_the_call),
    PROMISE(every_item_may_die),
    PROMISE(without_keep_going_no_new_item_starts_after_a_death),
    PROMISE(a_death_among_tiny_items_costs_that_item_alone),
    PROMISE(workers_killed_at_any_moment_lose_nothing_but_their_item),
    PROMISE(a_range_that_dies_marks_all_its_indices),
    PROMISE(results_of_any_length_survive_a_death),
    PROMISE(workers_that_die_before_any_item_are_given_up),
    PROMISE(a_worker_that_dies_in_worker_stop_has_done_its_items),
    {NULL, NULL},
};
