/* Calls too short to share: what they must not do, and what happens when one turns out to be long. */
#define _GNU_SOURCE
#include "promise.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* glibc's own allocator, under ours, which counts what this thread asks for. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
static __thread int allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}

static double numbers[1000], doubled[1000];

static int twice(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(double *)result = *(const double *)item * 2;
    return 0;
}

static int twice_range(size_t begin, size_t end, void *ctx)
{
    (void)ctx;
    for (size_t i = begin; i < end; i++)
        doubled[i] = numbers[i] * 2;
    return 0;
}

static void map(size_t n)
{
    CHECK_EQUAL(par_map(twice, NULL, numbers, sizeof *numbers, doubled, sizeof *doubled, n, NULL), PAR_OK);
}

/* The library knows the functions as short afterwards. */
static void warm_up(void)
{
    for (int i = 0; i < 1000; i++) {
        map(100);
        CHECK_EQUAL(par_for(twice_range, NULL, 100, NULL), PAR_OK);
    }
}

static void pause_busy(void)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec < 3000000);
}

static void many_small_calls(void)
{
    for (int round = 0; round < 3; round++) {
        for (size_t n = 1; n <= 100; n++) {
            map(n);
            CHECK_EQUAL(par_for(twice_range, NULL, n, NULL), PAR_OK);
        }
        pause_busy();
    }
}

/* From here on the kernel ends this process at any system call but exit, and write for what a CHECK has to say. */
static void renounce_system_calls(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        cannot("this kernel lets nobody filter system calls");
}

static void without_system_calls(void)
{
    warm_up();
    renounce_system_calls();
    many_small_calls();
    _exit(0);
}

/* To see that the filter bites. */
static void with_a_system_call(void)
{
    renounce_system_calls();
    getppid();
    _exit(0);
}

static int survives(void (*work)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0)
        work();
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSYS);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_small_call_makes_no_system_call(void)
{
    CHECK(!survives(with_a_system_call));
    /* Where another program takes the CPU away amid an item, the call looks long and wakes a helper: not in every child. */
    int children = 0;
    while (!survives(without_system_calls))
        CHECK(++children < 100);
}

static void a_small_call_allocates_nothing(void)
{
    warm_up();
    int before = allocations;
    CHECK(before > 0);
    many_small_calls();
    CHECK_EQUAL(allocations, before);
}

static int helped;

/* One function for cheap and for dear items, as a trampoline is. */
static int sleep_if_asked(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    if (*(const int *)ctx > 0)
        sleep_ms((unsigned)*(const int *)ctx);
    if (par_worker_index() > 0)
        ADD(helped, 1);
    return 0;
}

static void a_call_taken_for_short_is_shared_once_its_items_take_long(void)
{
    int nothing = 0, long_time = 5;
    par_options two = PAR_OPTIONS_INIT;
    two.workers = 2;
    const par_options *all[] = {NULL, &two};
    setenv("PAR_NUM_WORKERS", "2", 1);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 1000; i++)
            CHECK_EQUAL(par_map(sleep_if_asked, &nothing, numbers, 8, NULL, 0, 8, all[k]), PAR_OK);
        STORE(helped, 0);
        CHECK_EQUAL(par_map(sleep_if_asked, &long_time, numbers, 8, NULL, 0, 200, all[k]), PAR_OK);
        CHECK(LOAD(helped) > 0);
    }
}

static volatile int stop;

/* Each item is how long it takes; one that takes long asks for the end of the call. */
static int sleep_and_stop(const void *item, void *result, void *ctx)
{
    (void)result, (void)ctx;
    if (*(const int *)item > 0) {
        sleep_ms((unsigned)*(const int *)item);
        stop = 1;
    }
    return 0;
}

static int stop_is_wanted(const par_progress *progress, void *ctx)
{
    (void)progress, (void)ctx;
    return stop;
}

static void a_call_taken_for_short_can_be_stopped_once_its_items_take_long(void)
{
    enum { N = 20 };
    static const int nothing[N];
    int mixed[N];
    for (int i = 0; i < N; i++)
        mixed[i] = i < 2 ? 0 : 50;
    for (int polls = 0; polls < 2; polls++) {
        par_report report = {.size = sizeof report};
        par_options options = PAR_OPTIONS_INIT;
        options.report = &report;
        options.workers = polls ? 2 : 1;
        options.poll_ms = 1;
        if (polls)
            options.poll = stop_is_wanted;
        else
            options.cancel = &stop;
        stop = 0;
        for (int i = 0; i < 1000; i++)
            CHECK_EQUAL(par_map(sleep_and_stop, NULL, nothing, sizeof *nothing, NULL, 0, N, &options), PAR_OK);
        CHECK_EQUAL(par_map(sleep_and_stop, NULL, mixed, sizeof *mixed, NULL, 0, N, &options), PAR_ECANCELED);
        CHECK(polls ? report.done < N : report.done == 3);
    }
}

static int fail_at_seven(const void *item, void *result, void *ctx)
{
    (void)result, (void)ctx;
    return *(const double *)item == 7 ? 3 : 0;
}

static void a_failed_item_of_a_small_call_is_told(void)
{
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    for (int round = 0; round < 1000; round++)
        for (size_t n = 6; n < 10; n++)
            CHECK_EQUAL(par_map(fail_at_seven, NULL, numbers, 8, NULL, 0, n, NULL), n > 7 ? PAR_EITEM : PAR_OK);
}

const promise promises[] = {
    PROMISE(a_small_call_makes_no_system_call),
    PROMISE(a_small_call_allocates_nothing),
    PROMISE(a_call_taken_for_short_is_shared_once_its_items_take_long),
    PROMISE(a_call_taken_for_short_can_be_stopped_once_its_items_take_long),
    PROMISE(a_failed_item_of_a_small_call_is_told),
    {NULL, NULL},
};
