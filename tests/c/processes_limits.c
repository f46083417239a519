/* Forked workers where the system gives little, and callbacks that take what is not theirs. */
#define _GNU_SOURCE
#include "promise.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define N 40

static par_report report;
static int in[N], out[N];

static par_options in_processes(size_t workers)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.workers = workers;
    for (int i = 0; i < N; i++) {
        in[i] = i;
        out[i] = -1;
    }
    return options;
}

static int square(const void *item, void *result, void *ctx)
{
    (void)ctx;
    sleep_ms(2);
    *(int *)result = *(const int *)item * *(const int *)item;
    return 0;
}

static par_status map(par_map_fn fn, const par_options *options)
{
    return par_map(fn, NULL, in, sizeof in[0], out, sizeof out[0], N, options);
}

static void check_squares(void)
{
    for (int i = 0; i < N; i++)
        CHECK_EQUAL(out[i], i * i);
    CHECK_EQUAL(report.done, N);
}

static void limit(int what, rlim_t most)
{
    struct rlimit limits = {most, most};
    CHECK_EQUAL(setrlimit(what, &limits), 0);
}

/* From here on this user may have no more processes than `most`. Root may have any number, so it becomes somebody whom
 * nobody else is: the process's number makes the user's. */
static void allow_processes(rlim_t most)
{
    if (getuid() == 0 && setuid((uid_t)(200000 + getpid())) != 0)
        cannot("root cannot become an unprivileged user");
    limit(RLIMIT_NPROC, most);
}

static void a_call_for_which_no_process_can_be_had_says_so(void)
{
    for (rlim_t most = 1; most <= 2; most++) { /* not even a supervisor; a supervisor, but no worker */
        pid_t child = fork();
        if (child == 0) {
            allow_processes(most);
            if (most == 1 && fork() >= 0)
                cannot("this system counts no processes");
            par_options options = in_processes(3);
            CHECK_EQUAL(map(square, &options), PAR_EAGAIN);
            CHECK_EQUAL(report.done, 0);
            CHECK_EQUAL(report.os_error, EAGAIN);
            CHECK_TEXT(report.message, "par_map: 3 of 3 workers could not be forked");
            _exit(0);
        }
        int status;
        CHECK_EQUAL(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            cannot("see above");
        CHECK_EQUAL(status, 0);
    }
}

static void a_call_completes_on_the_workers_that_can_be_had(void)
{
    allow_processes(3);
    par_options options = in_processes(6);
    CHECK_EQUAL(map(square, &options), PAR_OK);
    check_squares();
    CHECK_EQUAL(report.workers, 1);
    CHECK_EQUAL(report.os_error, EAGAIN);
    CHECK_TEXT(report.message, "5 of 6 workers could not be forked");
}

/* As under strict overcommit, where every process counts with all its private memory: after so many forks there is none
 * left. In front of the C library's; at first it stands in nobody's way. */
static int forks_left = 1 << 30;

pid_t fork(void)
{
    if (forks_left-- > 0)
        return _Fork();
    errno = ENOMEM;
    return -1;
}

static void where_forks_find_no_memory_fewer_workers_run_or_the_call_says_so(void)
{
    par_options options = in_processes(3);
    for (int forks = 0; forks < 4; forks++) { /* the first is the supervisor's */
        forks_left = forks;
        CHECK_EQUAL(map(square, &options), forks < 2 ? PAR_EAGAIN : PAR_OK);
        CHECK_EQUAL(report.os_error, ENOMEM);
        CHECK_EQUAL(report.workers, forks < 2 ? 0 : forks - 1);
        CHECK_TEXT(report.message, forks < 2 ? "par_map: 3 of 3 workers could not be forked: Cannot allocate memory"
                                             : "of 3 workers could not be forked: Cannot allocate memory");
        if (forks >= 2)
            check_squares();
        else
            CHECK_EQUAL(report.done, 0);
    }
}

static int square_or_abort(const void *item, void *result, void *ctx)
{
    if (*(const int *)item % 10 == 7)
        abort();
    return square(item, result, ctx);
}

static void the_place_of_a_dead_worker_is_taken_at_the_limit(void)
{
    allow_processes(3);
    par_options options = in_processes(6);
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(map(square_or_abort, &options), PAR_EITEM);
    CHECK_EQUAL(report.done, N);
    CHECK_EQUAL(report.failed, 4);
}

static int huge_result(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)len, (void)ctx;
    return par_bytes_resize(result, 30u << 20);
}

static void results_beyond_the_memory_limit_are_out_of_memory(void)
{
    par_bytes texts[N], results[N];
    par_options options = in_processes(2);
    memset(texts, 0, sizeof texts);
    memset(results, 0, sizeof results);
    limit(RLIMIT_AS, 300u << 20);
    CHECK_EQUAL(par_map_bytes(huge_result, NULL, texts, results, N, &options), PAR_ENOMEM);
    CHECK_TEXT(report.message, "par_map_bytes: no memory for the result of item ");
    CHECK(results[N - 1].data == NULL);
    par_bytes_free(results, N);

    /* And a table of results that does not fit is refused before anything runs. */
    static char item;
    CHECK_EQUAL(par_map(square, NULL, &item, 1, &item + 1, (size_t)1 << 40, 1, &options), PAR_ENOMEM);
    CHECK_EQUAL(report.done, 0);
    CHECK_TEXT(report.message, "share with the workers");
    CHECK_EQUAL(map(square, &options), PAR_OK);
    check_squares();
}

static void neither_size_nor_mode_of_dev_shm_matter(void)
{
    static par_bytes texts[N], results[N];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        cannot("this user cannot have mounts of its own");
    for (int run = 0; run < 2; run++) {
        unsigned long how = run ? MS_RDONLY : 0;
        if (mount("tmpfs", "/dev/shm", "tmpfs", how, "size=64k") != 0)
            cannot("this user cannot mount on /dev/shm");
        par_options options = in_processes(3);
        CHECK_EQUAL(map(square, &options), PAR_OK);
        check_squares();
        CHECK_EQUAL(par_map_bytes(huge_result, NULL, texts, results, 4, &options), PAR_OK);
        par_bytes_free(results, 4);
        char *shared = par_shm_alloc(10 << 20);
        CHECK(shared != NULL);
        memset(shared, 1, 10 << 20);
        par_shm_free(shared, 10 << 20);
    }
}

static void a_map_needs_no_descriptor(void)
{
    par_options options = in_processes(3);
    par_bytes text = {NULL, 0}, result = {NULL, 0};
    limit(RLIMIT_NOFILE, 0);
    CHECK_EQUAL(map(square, &options), PAR_OK);
    check_squares();
    CHECK_EQUAL(par_map_bytes(huge_result, NULL, &text, &result, 1, &options), PAR_ESYS);
    CHECK_EQUAL(report.os_error, EMFILE);
    CHECK_TEXT(report.message, "par_map_bytes: ");
}

static void close_everything(void)
{
    for (int i = 0; i < 100; i++)
        close(i);
}

static int close_and_square(const void *item, void *result, void *ctx)
{
    close_everything();
    return square(item, result, ctx);
}

static int close_and_grow(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)ctx;
    close_everything();
    /* Something else stands under every low number now, and must not be written to. */
    for (int i = 0; i < 5; i++)
        if (open("/dev/null", O_RDWR) < 0)
            return 1;
    if (par_bytes_resize(result, 100000 * (len + 1)))
        return 1;
    memset(result->data, 'a' + (int)len, result->len);
    return 0;
}

static void callbacks_that_close_all_descriptors_hurt_nobody(void)
{
    static char item[N];
    par_bytes texts[N], results[N];
    par_options options = in_processes(3);
    CHECK_EQUAL(map(close_and_square, &options), PAR_OK);
    check_squares();
    memset(results, 0, sizeof results);
    for (size_t i = 0; i < N; i++) {
        texts[i].data = item;
        texts[i].len = i % 20;
    }
    CHECK_EQUAL(par_map_bytes(close_and_grow, NULL, texts, results, N, &options), PAR_OK);
    for (size_t i = 0; i < N; i++) {
        CHECK_EQUAL(results[i].len, 100000 * (i % 20 + 1));
        CHECK_EQUAL(((char *)results[i].data)[results[i].len - 1], 'a' + (int)(i % 20));
    }
    par_bytes_free(results, N);
}

static int fork_and_wait(const void *item, void *result, void *ctx)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(5);
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 5 || system("exit 3") != 3 << 8)
        return 1;
    return square(item, result, ctx);
}

static void callbacks_may_fork_and_wait_even_if_the_host_ignores_its_children(void)
{
    par_options options = in_processes(3);
    signal(SIGCHLD, SIG_IGN);
    CHECK_EQUAL(map(fork_and_wait, &options), PAR_OK);
    check_squares();
}

static int fork_and_return(const void *item, void *result, void *ctx)
{
    pid_t child = fork();
    if (child > 0)
        waitpid(child, NULL, 0);
    return square(item, result, ctx);
}

static void a_child_that_comes_back_out_of_a_callback_is_ended(void)
{
    par_options options = in_processes(3);
    CHECK_EQUAL(map(fork_and_return, &options), PAR_OK);
    check_squares();
}

static int leave_a_child_behind(const void *item, void *result, void *ctx)
{
    pid_t child = fork();
    if (child == 0) {
        sleep_ms(3000);
        _exit(0);
    }
    return square(item, result, ctx);
}

static void children_that_callbacks_leave_behind_hold_nothing_up(void)
{
    par_options options = in_processes(3);
    options.item_timeout_ms = 60000;
    alarm(60);
    CHECK_EQUAL(map(leave_a_child_behind, &options), PAR_OK);
    check_squares();
}

static void far_more_workers_than_items_are_no_error(void)
{
    par_options options = in_processes(SIZE_MAX);
    CHECK_EQUAL(map(square, &options), PAR_OK);
    check_squares();
    CHECK(report.workers <= N);
}

const promise promises[] = {
    PROMISE(a_call_for_which_no_process_can_be_had_says_so),
    PROMISE(where_forks_find_no_memory_fewer_workers_run_or_the_call_says_so),
    PROMISE(a_call_completes_on_the_workers_that_can_be_had),
    PROMISE(the_place_of_a_dead_worker_is_taken_at_the_limit),
    PROMISE(results_beyond_the_memory_limit_are_out_of_memory),
    PROMISE(neither_size_nor_mode_of_dev_shm_matter),
    PROMISE(a_map_needs_no_descriptor),
    PROMISE(callbacks_that_close_all_descriptors_hurt_nobody),
    PROMISE(callbacks_may_fork_and_wait_even_if_the_host_ignores_its_children),
    PROMISE(a_child_that_comes_back_out_of_a_callback_is_ended),
    PROMISE(children_that_callbacks_leave_behind_hold_nothing_up),
    PROMISE(far_more_workers_than_items_are_no_error),
    {NULL, NULL},
};
