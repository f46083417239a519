/* What a host process can rely on: nothing starts before it must, and what starts stays out of the host's way. */
#define _GNU_SOURCE
#include "promise.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

static par_report report;

/* Calls `look` for each thread but the main one; answers how many there are. */
static int each_helper(void (*look)(const char *folder))
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        char folder[300];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == (int)getpid())
            continue;
        snprintf(folder, sizeof folder, "/proc/self/task/%s", entry->d_name);
        if (look)
            look(folder);
        count++;
    }
    closedir(tasks);
    return count;
}

static int meet(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    return !reaches(ctx, 2);
}

/* A call that has needed a helper thread. */
static void use(void)
{
    int in[2] = {0, 1}, begun = 0;
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 2;
    CHECK_EQUAL(par_map(meet, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
}

static int nothing(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    return 0;
}

static void nothing_starts_before_the_first_call_that_needs_it(void)
{
    int in[3] = {0, 1, 2};
    par_bytes bytes = {NULL, 0};
    par_options options = PAR_OPTIONS_INIT;
    CHECK_EQUAL(each_helper(NULL), 0);
    CHECK(par_cpu_count() >= 1);
    CHECK_EQUAL(par_worker_index(), 0);
    CHECK_EQUAL(par_version(), PAR_VERSION);
    CHECK_EQUAL(par_bytes_resize(&bytes, 10), PAR_OK);
    par_bytes_free(&bytes, 1);
    CHECK_EQUAL(par_map(nothing, NULL, in, sizeof in[0], NULL, 0, 0, NULL), PAR_OK);
    CHECK_EQUAL(par_map(nothing, NULL, in, sizeof in[0], NULL, 0, 1, NULL), PAR_OK);
    options.workers = 1;
    CHECK_EQUAL(par_map(nothing, NULL, in, sizeof in[0], NULL, 0, 3, &options), PAR_OK);
    CHECK_EQUAL(each_helper(NULL), 0);
    use();
    CHECK(each_helper(NULL) >= 1);
}

static void check_mask(const char *folder)
{
    static const int asynchronous[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD, SIGUSR1, SIGUSR2, SIGPIPE, SIGWINCH};
    static const int of_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    char path[320], line[200];
    unsigned long long blocked = 0;
    snprintf(path, sizeof path, "%s/status", folder);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file))
        sscanf(line, "SigBlk: %llx", &blocked);
    fclose(file);
    for (size_t i = 0; i < sizeof asynchronous / sizeof asynchronous[0]; i++)
        CHECK(blocked >> (asynchronous[i] - 1) & 1);
    for (size_t i = 0; i < sizeof of_faults / sizeof of_faults[0]; i++)
        CHECK(!(blocked >> (of_faults[i] - 1) & 1));
}

static void helper_threads_block_the_signals_that_are_the_hosts(void)
{
    sigset_t before, after;
    CHECK_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    use();
    CHECK(each_helper(check_mask) >= 1);
    CHECK_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int number = 1; number < 32; number++)
        CHECK_EQUAL(sigismember(&before, number), sigismember(&after, number));
}

static void check_name(const char *folder)
{
    char path[320], name[64] = "";
    snprintf(path, sizeof path, "%s/comm", folder);
    FILE *file = fopen(path, "r");
    CHECK(file && fgets(name, sizeof name, file));
    fclose(file);
    CHECK_TEXT(name, "parmap");
}

static void helper_threads_have_a_name(void)
{
    use();
    CHECK(each_helper(check_name) >= 1);
}

static void no_signal_handler_is_installed(void)
{
    struct sigaction before[32], after;
    memset(before, 0, sizeof before);
    for (int number = 1; number < 32; number++)
        CHECK_EQUAL(sigaction(number, NULL, &before[number]), 0);
    use();
    in_a_child(use);
    for (int number = 1; number < 32; number++) {
        CHECK_EQUAL(sigaction(number, NULL, &after), 0);
        CHECK(before[number].sa_handler == after.sa_handler);
    }
}

/* Six megabytes of the eight that a thread of the host has, touched page by page. */
static int use_much_stack(const void *item, void *result, void *ctx)
{
    volatile char deep[6 << 20];
    for (size_t i = 0; i < sizeof deep; i += 4096)
        deep[i] = 1;
    return meet(item, result, ctx) + deep[4096] - 1;
}

static void a_helper_has_as_much_stack_as_a_thread_of_the_host(void)
{
    int in[2] = {0, 1}, begun = 0;
    size_t size = 0;
    pthread_attr_t attributes;
    par_options options = PAR_OPTIONS_INIT;
    CHECK_EQUAL(pthread_attr_init(&attributes), 0);
    CHECK_EQUAL(pthread_attr_getstacksize(&attributes, &size), 0);
    if (size < (size_t)8 << 20)
        cannot("threads of this host have less than 8 MB of stack");
    options.workers = 2;
    CHECK_EQUAL(par_map(use_much_stack, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    CHECK_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void idle_threads_burn_no_cpu(void)
{
    use();
    double before = cpu_seconds();
    sleep_ms(1000);
    CHECK(cpu_seconds() - before < 0.2);
}

/* Each holds its own item until all four have begun: four workers, or none of this ends. */
static int meet_four(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    return !reaches(ctx, 4);
}

static void par_num_workers_sets_the_number_of_workers(void)
{
    int in[4] = {0, 1, 2, 3}, begun = 0;
    par_options options = reporting_to(&report);
    CHECK_EQUAL(setenv("PAR_NUM_WORKERS", "4", 1), 0);
    CHECK_EQUAL(par_map(meet_four, &begun, in, sizeof in[0], NULL, 0, 4, &options), PAR_OK);
    CHECK_EQUAL(report.workers, 4);
    CHECK(each_helper(NULL) <= 3);
}

static void par_num_workers_of_1_starts_no_threads(void)
{
    int in[100] = {0};
    CHECK_EQUAL(setenv("PAR_NUM_WORKERS", "1", 1), 0);
    CHECK_EQUAL(par_map(nothing, NULL, in, sizeof in[0], NULL, 0, 100, NULL), PAR_OK);
    CHECK_EQUAL(each_helper(NULL), 0);
}

static void workers_in_the_options_win_over_par_num_workers(void)
{
    CHECK_EQUAL(setenv("PAR_NUM_WORKERS", "1", 1), 0);
    use();
    CHECK(each_helper(NULL) >= 1);
}

/* The environment is read once, so each wrong value has a process of its own. */
static const char *wrong_value;

static void refuse_wrong_value(void)
{
    int in[4] = {0};
    par_options options = reporting_to(&report);
    CHECK_EQUAL(setenv("PAR_NUM_WORKERS", wrong_value, 1), 0);
    CHECK_EQUAL(par_map(nothing, NULL, in, sizeof in[0], NULL, 0, 4, &options), PAR_EINVAL);
    CHECK_EQUAL(report.done, 0);
    CHECK_TEXT(report.message, "PAR_NUM_WORKERS");
    CHECK_TEXT(report.message, wrong_value);
    use();
}

static void a_par_num_workers_that_is_no_number_is_refused_and_quoted(void)
{
    static const char *const values[] = {"0", "-2", "four", "3x", "2.5", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        wrong_value = values[i];
        in_a_child(refuse_wrong_value);
    }
}

static void the_affinity_mask_bounds_the_cpu_count(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    CHECK_EQUAL(sched_getaffinity(0, sizeof all, &all), 0);
    CHECK(par_cpu_count() <= (size_t)CPU_COUNT(&all));
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    CHECK_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_EQUAL(par_cpu_count(), 1);
}

const promise promises[] = {
    PROMISE(nothing_starts_before_the_first_call_that_needs_it),
    PROMISE(helper_threads_block_the_signals_that_are_the_hosts),
    PROMISE(helper_threads_have_a_name),
    PROMISE(no_signal_handler_is_installed),
    PROMISE(a_helper_has_as_much_stack_as_a_thread_of_the_host),
    PROMISE(idle_threads_burn_no_cpu),
    PROMISE(par_num_workers_sets_the_number_of_workers),
    PROMISE(par_num_workers_of_1_starts_no_threads),
    PROMISE(workers_in_the_options_win_over_par_num_workers),
    PROMISE(a_par_num_workers_that_is_no_number_is_refused_and_quoted),
    PROMISE(the_affinity_mask_bounds_the_cpu_count),
    {NULL, NULL},
};
