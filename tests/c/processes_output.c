/* What forked workers print, and what the host has printed and not yet flushed: each line once, and where it belongs. */
#define _GNU_SOURCE
#include "promise.h"

#include <fcntl.h>
#include <signal.h>

#define N 60

static par_report report;
static int in[N];

static par_options in_processes(void)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.flags = PAR_KEEP_GOING;
    options.workers = 3;
    for (int i = 0; i < N; i++)
        in[i] = i;
    return options;
}

static par_status map(par_map_fn fn, void *ctx, const par_options *options)
{
    return par_map(fn, ctx, in, sizeof in[0], NULL, 0, N, options);
}

/* A fresh file, which nothing has open as a stream. */
static int make_file(char *path)
{
    strcpy(path, "/tmp/libparmap-test-XXXXXX");
    int file = mkstemp(path);
    CHECK(file >= 0);
    return file;
}

/* Sends a standard stream to a fresh file until the end of the program. */
static void divert(int stream, char *path)
{
    int file = make_file(path);
    CHECK_EQUAL(dup2(file, stream), stream);
    close(file);
}

static int print_line(const void *item, void *result, void *ctx)
{
    FILE *to = *(FILE *const *)ctx;
    (void)result;
    fprintf(to, "line of item %d\n", *(const int *)item);
    if (*(const int *)item == 17) {
        fprintf(to, "unfinished");
        abort();
    }
    if (*(const int *)item == 18)
        exit(1);
    return 0;
}

/* The host has printed something before, which waits in the buffer, as in every copy of it. */
static void check_lines(FILE *to, const char *path)
{
    char line[100];
    int seen[N] = {0}, before = 0, after = 0;
    par_options options = in_processes();
    fprintf(to, "before the call\n");
    CHECK_EQUAL(map(print_line, &to, &options), PAR_EITEM);
    CHECK_EQUAL(report.failed, 2);
    fprintf(to, "after the call\n");
    fflush(to);
    FILE *written = fopen(path, "r");
    unlink(path);
    CHECK(written != NULL);
    while (fgets(line, sizeof line, written)) {
        int item;
        if (sscanf(line, "line of item %d", &item) == 1)
            seen[item]++;
        before += strcmp(line, "before the call\n") == 0;
        after += strcmp(line, "after the call\n") == 0;
    }
    fclose(written);
    CHECK_EQUAL(before, 1);
    CHECK_EQUAL(after, 1);
    for (int i = 0; i < N; i++)
        CHECK(i == 17 ? seen[i] <= 1 : seen[i] == 1);
}

static void no_line_is_printed_twice_and_none_of_a_finished_item_is_lost(void)
{
    char path[40];
    divert(STDOUT_FILENO, path);
    check_lines(stdout, path);
}

static void the_same_holds_for_every_stream_that_is_open(void)
{
    char path[40];
    CHECK_EQUAL(setvbuf(stderr, NULL, _IOFBF, 4096), 0);
    divert(STDERR_FILENO, path);
    check_lines(stderr, path);
    close(make_file(path));
    FILE *log = fopen(path, "a");
    CHECK(log != NULL);
    check_lines(log, path);
    fclose(log);
}

static int read_back(const void *item, void *result, void *ctx)
{
    FILE *memory = ctx;
    (void)item, (void)result;
    return fprintf(memory, "more") != 4 || ftell(memory) % 4 != 0 || ftell(memory) < 8;
}

static void a_stream_in_memory_is_there_in_the_workers_as_the_host_left_it(void)
{
    char *text = NULL;
    size_t len = 0;
    par_options options = in_processes();
    FILE *memory = open_memstream(&text, &len);
    CHECK(memory != NULL && fprintf(memory, "text") == 4);
    CHECK_EQUAL(map(read_back, memory, &options), PAR_OK);
    CHECK_EQUAL(fclose(memory), 0);
    CHECK(len == 4 && strcmp(text, "text") == 0);
    free(text);
}

static void print_fork(void *ctx)
{
    (void)ctx;
    printf("a fork\n");
}

static int nothing(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    sleep_ms(1);
    return 0;
}

static void what_fork_hooks_print_is_printed_once(void)
{
    char line[100];
    int forks = 0;
    char path[40];
    divert(STDOUT_FILENO, path);
    par_options options = in_processes();
    options.before_fork = print_fork;
    options.after_fork_parent = print_fork;
    options.after_fork_child = print_fork;
    CHECK_EQUAL(map(nothing, NULL, &options), PAR_OK);
    fflush(stdout);
    FILE *written = fopen(path, "r");
    unlink(path);
    CHECK(written != NULL);
    while (fgets(line, sizeof line, written))
        forks += strcmp(line, "a fork\n") == 0;
    fclose(written);
    CHECK_EQUAL(forks, 3 * 4); /* the supervisor and three workers */
}

static int print_and_answer(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)len, (void)ctx;
    printf("a line that goes nowhere\n");
    if (par_bytes_resize(result, 100) != PAR_OK)
        return 1;
    memset(result->data, 'x', 100);
    return 0;
}

/* The next descriptor that the library opens would be standard output. */
static void where_standard_output_is_closed_nothing_is_printed_into_results(void)
{
    par_bytes texts[N], results[N];
    par_options options = in_processes();
    memset(texts, 0, sizeof texts);
    memset(results, 0, sizeof results);
    CHECK_EQUAL(close(STDOUT_FILENO), 0);
    CHECK_EQUAL(par_map_bytes(print_and_answer, NULL, texts, results, N, &options), PAR_OK);
    CHECK(fcntl(STDOUT_FILENO, F_GETFD) < 0);
    for (int i = 0; i < N; i++) {
        CHECK_EQUAL(results[i].len, 100);
        for (int at = 0; at < 100; at++)
            CHECK_EQUAL(((char *)results[i].data)[at], 'x');
    }
    par_bytes_free(results, N);
}

static int *exits;

static void count_exit(void)
{
    ADD(*exits, 1);
}

static int exit_in_item(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    exit(4);
}

static void the_hosts_exit_handlers_do_not_run_in_workers(void)
{
    par_options options = in_processes();
    exits = par_shm_alloc(sizeof *exits);
    CHECK_EQUAL(atexit(count_exit), 0);
    CHECK_EQUAL(par_map(exit_in_item, NULL, in, sizeof in[0], NULL, 0, 5, &options), PAR_EITEM);
    CHECK_EQUAL(report.first.code, 4);
    CHECK_EQUAL(*exits, 0);
}

const promise promises[] = {
    PROMISE(no_line_is_printed_twice_and_none_of_a_finished_item_is_lost),
    PROMISE(the_same_holds_for_every_stream_that_is_open),
    PROMISE(a_stream_in_memory_is_there_in_the_workers_as_the_host_left_it),
    PROMISE(what_fork_hooks_print_is_printed_once),
    PROMISE(where_standard_output_is_closed_nothing_is_printed_into_results),
    PROMISE(the_hosts_exit_handlers_do_not_run_in_workers),
    {NULL, NULL},
};
