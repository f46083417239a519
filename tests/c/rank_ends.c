/* How ranks end, and what the others see of it: a scenario each, in which rank 1 plays the part that its name says. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int rank, size;
static par_bytes message;
static par_report report;

static void arrive(void)
{
    rank = par_mpi_rank();
    size = par_mpi_size();
}

static int slow(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    sleep_ms(20);
    return 0;
}

static int die(const void *item, void *result, void *ctx)
{
    if (rank == 1)
        raise(SIGKILL);
    return slow(item, result, ctx);
}

static int leave(const void *item, void *result, void *ctx)
{
    if (rank == 1)
        exit(0);
    return slow(item, result, ctx);
}

static par_status map(par_map_fn fn)
{
    static int items[2000];
    par_options options = reporting_to(&report);
    options.executor = PAR_MPI;
    options.workers = 1;
    return par_map(fn, NULL, items, sizeof items[0], NULL, 0, 2000, &options);
}

/* The status is the program's, so that an error is not overlooked. */
static void say(par_status status, const char *sentence)
{
    fprintf(stderr, "rank %d: %s\n", rank, status == PAR_OK ? "fine" : sentence);
    sleep_ms(300); /* what the ranks have written is lost where a launcher ends them too soon */
    exit(status);
}

static void receive(int source)
{
    say(par_mpi_receive(&message, source, 0, NULL, NULL), par_mpi_message());
}

static void killed_amid_a_map(void)
{
    arrive();
    say(map(die), report.message);
}

static void ends_with_an_error(void)
{
    arrive();
    if (rank == 1)
        exit(3);
    receive(1);
}

/* Written to a file, since what a launcher passes on after an abort is its own affair. */
static void prints_before_its_error(void)
{
    arrive();
    if (rank == 1) {
        CHECK(freopen(getenv("LAST_WORDS"), "w", stdout) != NULL);
        printf("last words");
        exit(3);
    }
    receive(1);
}

static void aborts(void)
{
    arrive();
    if (rank == 1)
        par_mpi_abort(5);
    receive(1);
}

/* 256 would be seen as 0. */
static void aborts_after_the_end(void)
{
    arrive();
    CHECK_EQUAL(par_mpi_finalize(), PAR_OK);
    if (rank == 1)
        par_mpi_abort(256);
}

static void ends_early_before_a_message(void)
{
    arrive();
    if (rank != 1)
        receive(1);
}

static void ends_early_before_a_map(void)
{
    arrive();
    if (rank != 1)
        say(map(slow), report.message);
}

static void is_in_another_call(void)
{
    arrive();
    if (rank == 1)
        say(par_mpi_barrier(), par_mpi_message());
    say(map(slow), report.message);
}

static void all_others_end_early(void)
{
    arrive();
    if (rank == 0)
        receive(PAR_MPI_ANY);
}

static void ends_inside_a_callback(void)
{
    arrive();
    say(map(leave), report.message);
}

static void comes_late(void)
{
    arrive();
    if (rank == 1)
        sleep_ms(3000); /* a verdict takes two seconds */
    CHECK_EQUAL(par_mpi_barrier(), PAR_OK);
}

static void ends_late(void)
{
    arrive();
    if (rank == 1)
        sleep_ms(3000);
}

/* MPICH broadcasts to rank 3 by way of rank 2. That rank 0 has gone on long since does not mean that rank 3 waits in vain. */
static void comes_late_to_a_broadcast(void)
{
    int number = 7;
    arrive();
    if (rank == 2)
        sleep_ms(3000);
    CHECK_EQUAL(par_mpi_broadcast(&number, sizeof number, 0), PAR_OK);
    if (rank == 0)
        CHECK_EQUAL(par_mpi_receive(&message, 3, 0, NULL, NULL), PAR_OK);
    if (rank == 3)
        CHECK_EQUAL(par_mpi_send(&number, sizeof number, 0, 0), PAR_OK);
    par_bytes_free(&message, 1);
}

static void finalizes(void)
{
    arrive();
    CHECK_EQUAL(par_mpi_send("nobody wants this", 17, (rank + 1) % size, 1), PAR_OK);
    CHECK_EQUAL(par_mpi_finalize(), PAR_OK);
    CHECK_EQUAL(par_mpi_finalize(), PAR_OK);
    CHECK_EQUAL(par_mpi_barrier(), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "finalized");
    CHECK(par_mpi_wtime() >= 0);
}

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

/* Rank 0 lets the others wait for 0.4 s each in a message, a barrier, and a map; half a core would be a lot. */
static void lets_the_others_wait(void)
{
    arrive();
    CHECK_EQUAL(par_mpi_barrier(), PAR_OK);
    double before = cpu_seconds();
    for (int way = 0; way < 3; way++) {
        if (rank == 0)
            sleep_ms(400);
        if (way == 0 && rank == 0)
            for (int to = 1; to < size; to++)
                CHECK_EQUAL(par_mpi_send("now", 3, to, 0), PAR_OK);
        if (way == 0 && rank != 0)
            CHECK_EQUAL(par_mpi_receive(&message, 0, 0, NULL, NULL), PAR_OK);
        if (way == 1)
            CHECK_EQUAL(par_mpi_barrier(), PAR_OK);
        if (way == 2) {
            par_options options = reporting_to(&report);
            int item = 0;
            options.executor = PAR_MPI;
            CHECK_EQUAL(par_map(slow, NULL, &item, sizeof item, NULL, 0, 1, &options), PAR_OK);
        }
    }
    double used = cpu_seconds() - before;
    if (used > 0.6)
        broken(__FILE__, __LINE__, "rank %d used %.2f s of CPU to wait 1.2 s", rank, used);
}

/* Two pieces of 1 GiB and a rest. The sender's pages are never touched, so that they take no memory. */
static void sends_more_than_an_int_can_count(void)
{
    arrive();
    size_t len = ((size_t)1 << 31) + 12345;
    if (rank == 0) {
        char *data = calloc(len, 1);
        CHECK(data != NULL);
        data[0] = 1, data[len / 2] = 2, data[len - 1] = 3;
        CHECK_EQUAL(par_mpi_send(data, len, 1, 8), PAR_OK);
        free(data);
    } else if (rank == 1) {
        CHECK_EQUAL(par_mpi_receive(&message, PAR_MPI_ANY, PAR_MPI_ANY, NULL, NULL), PAR_OK);
        CHECK_EQUAL(message.len, len);
        char *data = message.data;
        CHECK(data[0] == 1 && data[1] == 0 && data[len / 2] == 2 && data[len - 2] == 0 && data[len - 1] == 3);
        par_bytes_free(&message, 1);
    }
}

/* Rank 0 may have some memory, but not for what rank 1 sends. */
static void has_no_memory_for_a_message(void)
{
    arrive();
    size_t len = (size_t)700 << 20;
    char *data = rank == 1 ? calloc(len, 1) : NULL; /* never read, since it never leaves */
    CHECK(rank != 1 || data != NULL);
    CHECK_EQUAL(par_mpi_barrier(), PAR_OK);
    if (rank == 1)
        say(par_mpi_send(data, len, 0, 0), par_mpi_message());
    if (rank == 0) {
        unsigned long pages = 0;
        FILE *memory = fopen("/proc/self/statm", "r");
        CHECK(memory != NULL && fscanf(memory, "%lu", &pages) == 1);
        fclose(memory);
        rlim_t room = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)200 << 20);
        CHECK_EQUAL(setrlimit(RLIMIT_AS, &(struct rlimit){room, room}), 0);
        CHECK_EQUAL(par_mpi_receive(&message, 1, 0, NULL, NULL), PAR_ENOMEM);
        CHECK_EQUAL(par_mpi_receive(&message, 1, 0, NULL, NULL), PAR_EMPI);
        say(PAR_EMPI, par_mpi_message());
    }
}

/* A program that a rank starts has the rank's variables, and is no rank. */
static void starts_a_program(void)
{
    arrive();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "child", "says_its_library", (char *)NULL);
        _exit(9);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}

static void says_its_library(void)
{
    arrive();
    printf("%s, rank %d of %d\n", par_mpi_library(), rank, size);
    if (rank < 0)
        fprintf(stderr, "%s\n", par_mpi_message());
}

const promise promises[] = {
    PROMISE(killed_amid_a_map),
    PROMISE(ends_with_an_error),
    PROMISE(prints_before_its_error),
    PROMISE(aborts),
    PROMISE(ends_early_before_a_message),
    PROMISE(ends_early_before_a_map),
    PROMISE(is_in_another_call),
    PROMISE(all_others_end_early),
    PROMISE(ends_inside_a_callback),
    PROMISE(comes_late),
    PROMISE(ends_late),
    PROMISE(comes_late_to_a_broadcast),
    PROMISE(finalizes),
    PROMISE(lets_the_others_wait),
    PROMISE(sends_more_than_an_int_can_count),
    PROMISE(has_no_memory_for_a_message),
    PROMISE(aborts_after_the_end),
    PROMISE(starts_a_program),
    PROMISE(says_its_library),
    {NULL, NULL},
};
