/* The system refuses threads or memory: the call completes on fewer, and the report says so. */
#define _GNU_SOURCE
#include "promise.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#define MANY 2000

static int in[MANY], out[MANY];
static par_report report;

static int square(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    (void)ctx;
    *(int *)result = x * x;
    return 0;
}

static int wait_for_both(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    return !reaches(ctx, 2);
}

static par_status map(const par_options *options)
{
    for (int i = 0; i < MANY; i++) {
        in[i] = i;
        out[i] = -1;
    }
    return par_map(square, NULL, in, sizeof in[0], out, sizeof out[0], MANY, options);
}

static void check_squares(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_EQUAL(out[i], i * i);
    CHECK_EQUAL(report.done, MANY);
}

static void *nothing(void *ctx)
{
    return ctx;
}

static int thread_is_refused(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, nothing, NULL);
    if (error == 0)
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
    return error;
}

/* From here on this user may have no more threads than `threads`. Root may have any number, so it becomes somebody
 * whom nobody else is: the process's number makes the user's. */
static void allow_threads(rlim_t threads)
{
    if (geteuid() == 0) {
        uid_t user = 1000000 + (uid_t)getpid();
        if (setresuid(user, user, user) != 0)
            cannot("root cannot become another user here, and thread limits do not bind root");
    } else {
        threads = 0; /* other processes of this user count, too */
    }
    struct rlimit limit = {threads, RLIM_INFINITY};
    CHECK_EQUAL(getrlimit(RLIMIT_NPROC, &limit), 0);
    limit.rlim_cur = threads;
    CHECK_EQUAL(setrlimit(RLIMIT_NPROC, &limit), 0);
}

static void check_refused_threads_are_told(void)
{
    CHECK_EQUAL(report.workers, 1);
    CHECK_EQUAL(report.os_error, EAGAIN);
    CHECK_TEXT(report.message, "par_map: ");
    CHECK_TEXT(report.message, "thread");
}

static void a_call_completes_alone_when_all_threads_are_refused(void)
{
    par_options options = reporting_to(&report);
    options.workers = 4;
    allow_threads(1);
    CHECK_EQUAL(thread_is_refused(), EAGAIN);
    CHECK_EQUAL(map(&options), PAR_OK);
    check_squares();
    check_refused_threads_are_told();
}

static void a_call_completes_on_the_threads_that_there_are(void)
{
    int begun = 0;
    par_options options = reporting_to(&report);
    if (geteuid() != 0)
        cannot("only root can become a user without other processes, and count its threads");
    options.workers = 5;
    allow_threads(3);
    CHECK_EQUAL(map(&options), PAR_OK);
    check_squares();
    CHECK_EQUAL(thread_is_refused(), EAGAIN);
    CHECK(report.workers <= 3);
    CHECK_EQUAL(report.os_error, EAGAIN);
    CHECK_TEXT(report.message, "thread");

    options = reporting_to(&report);
    options.workers = 2;
    CHECK_EQUAL(par_map(wait_for_both, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
    CHECK_EQUAL(report.workers, 2);
    CHECK_EQUAL(report.os_error, 0);
}

static int count_polls(const par_progress *progress, void *ctx)
{
    (void)progress;
    ++*(int *)ctx;
    return 0;
}

static void with_poll_the_caller_runs_the_items_itself_and_says_so(void)
{
    int polls = 0;
    par_options options = reporting_to(&report);
    options.workers = 4;
    options.poll = count_polls;
    options.poll_ctx = &polls;
    options.poll_ms = 1;
    allow_threads(1);
    CHECK_EQUAL(thread_is_refused(), EAGAIN);
    CHECK_EQUAL(map(&options), PAR_OK);
    check_squares();
    check_refused_threads_are_told();
    CHECK(polls >= 1);
}

static void threads_that_are_allowed_again_work_again(void)
{
    int begun = 0;
    struct rlimit limit;
    par_options options = reporting_to(&report);
    options.workers = 2;
    allow_threads(1);
    CHECK_EQUAL(thread_is_refused(), EAGAIN);
    CHECK_EQUAL(map(&options), PAR_OK);
    check_refused_threads_are_told();

    CHECK_EQUAL(getrlimit(RLIMIT_NPROC, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_EQUAL(setrlimit(RLIMIT_NPROC, &limit), 0);
    CHECK_EQUAL(thread_is_refused(), 0);
    CHECK_EQUAL(par_map(wait_for_both, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
    CHECK_EQUAL(report.workers, 2);
}

/* The process may take `more` bytes of addresses than it has now. */
static void allow_memory(size_t more)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    struct rlimit limit;
    CHECK_EQUAL(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    CHECK_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
}

static void a_call_completes_in_a_tiny_address_space(void)
{
    par_options options = reporting_to(&report);
    options.workers = 4;
    allow_memory(1 << 20);
    CHECK(thread_is_refused() != 0);
    CHECK_EQUAL(map(&options), PAR_OK);
    check_squares();
    check_refused_threads_are_told();
}

static int fold_nothing(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)begin, (void)end, (void)acc, (void)ctx;
    return 0;
}

static int combine_nothing(void *acc, const void *other, void *ctx)
{
    (void)acc, (void)other, (void)ctx;
    return 0;
}

static void an_accumulator_that_cannot_be_copied_is_out_of_memory_and_not_an_abort(void)
{
    const size_t large = (size_t)256 << 20;
    par_options options = reporting_to(&report);
    char *acc = calloc(1, large);
    CHECK(acc != NULL);
    allow_memory((size_t)32 << 20);
    CHECK(malloc(large) == NULL);
    CHECK_EQUAL(par_reduce(fold_nothing, combine_nothing, NULL, acc, large, 10, &options), PAR_ENOMEM);
    CHECK_TEXT(report.message, "acc_size");
    CHECK_EQUAL(par_reduce(fold_nothing, combine_nothing, NULL, acc, 8, 10, &options), PAR_OK);
    free(acc);
}

static int too_long(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)len, (void)ctx;
    return par_bytes_resize(result, (size_t)256 << 20) == PAR_ENOMEM ? 12 : 0;
}

static void a_result_that_does_not_fit_is_the_items_own_failure(void)
{
    par_bytes names[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}}, results[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    par_options options = reporting_to(&report);
    options.flags = PAR_KEEP_GOING;
    allow_memory((size_t)32 << 20);
    CHECK_EQUAL(par_map_bytes(too_long, NULL, names, results, 3, &options), PAR_EITEM);
    CHECK_EQUAL(report.failed, 3);
    CHECK_EQUAL(report.first.code, 12);
    for (int i = 0; i < 3; i++)
        CHECK(results[i].data == NULL && results[i].len == 0);
}

static void far_more_workers_than_the_system_has_threads_are_no_error(void)
{
    par_options options = reporting_to(&report);
    options.workers = 1000000;
    allow_threads(8);
    CHECK_EQUAL(map(&options), PAR_OK);
    check_squares();
    CHECK(report.workers <= 8);
}

const promise promises[] = {
    PROMISE(a_call_completes_alone_when_all_threads_are_refused),
    PROMISE(a_call_completes_on_the_threads_that_there_are),
    PROMISE(with_poll_the_caller_runs_the_items_itself_and_says_so),
    PROMISE(threads_that_are_allowed_again_work_again),
    PROMISE(a_call_completes_in_a_tiny_address_space),
    PROMISE(an_accumulator_that_cannot_be_copied_is_out_of_memory_and_not_an_abort),
    PROMISE(a_result_that_does_not_fit_is_the_items_own_failure),
    PROMISE(far_more_workers_than_the_system_has_threads_are_no_error),
    {NULL, NULL},
};
