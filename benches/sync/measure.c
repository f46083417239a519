/* Calls a second of one kind on the meeting point at a URL: measure URL ROW SECONDS. Prints the number. Where several processes
 * make the same calls, those of all are counted. */
#define _POSIX_C_SOURCE 200809L
#include <parmap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FOR_EVER UINT64_MAX

#define MOST 16
#define APART 16 /* counters of different processes in different cache lines */

static const char *url;
static long *counts;
static char text[64 << 10];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void must(par_status status, const par_sync *sync)
{
    if (status != PAR_OK) {
        fprintf(stderr, "measure: %s\n", par_sync_message(sync));
        _exit(1);
    }
}

static par_sync *opened(void)
{
    par_sync *sync;
    must(par_sync_open(&sync, url), sync);
    return sync;
}

static void set(par_sync *sync) { must(par_sync_set(sync, "key", text, 16), sync); }
static void set_64k(par_sync *sync) { must(par_sync_set(sync, "large", text, sizeof text), sync); }
static void add(par_sync *sync) { must(par_sync_add(sync, "sum", 1, NULL), sync); }

static void get_of(par_sync *sync, const char *key)
{
    static par_bytes value;
    must(par_sync_get(sync, key, &value), sync);
}
static void get(par_sync *sync) { get_of(sync, "key"); }
static void get_64k(par_sync *sync) { get_of(sync, "large"); }

static void push_and_pop(par_sync *sync)
{
    static par_bytes value;
    must(par_sync_push(sync, "queue", text, 16), sync);
    must(par_sync_pop(sync, "queue", &value, FOR_EVER), sync);
}

static void lock_and_unlock(par_sync *sync)
{
    must(par_sync_lock(sync, "lock", 60000, FOR_EVER), sync);
    must(par_sync_unlock(sync, "lock"), sync);
}

static void ping_pong(par_sync *sync)
{
    static par_bytes value;
    must(par_sync_push(sync, "ping", text, 16), sync);
    must(par_sync_pop(sync, "pong", &value, FOR_EVER), sync);
}

static void pong_ping(par_sync *sync)
{
    static par_bytes value;
    must(par_sync_pop(sync, "ping", &value, FOR_EVER), sync);
    must(par_sync_push(sync, "pong", text, 16), sync);
}

static void barrier(par_sync *sync) { must(par_sync_barrier(sync, "meeting", 2, FOR_EVER), sync); }

static const struct row {
    const char *name;
    void (*call)(par_sync *sync);
    void (*partner)(par_sync *sync); /* what the other processes do all the time */
    int partners;
} rows[] = {
    {"set", set, NULL, 0},
    {"get", get, NULL, 0},
    {"add", add, NULL, 0},
    {"push-pop", push_and_pop, NULL, 0},
    {"lock", lock_and_unlock, NULL, 0},
    {"set-64k", set_64k, NULL, 0},
    {"get-64k", get_64k, NULL, 0},
    {"ping-pong", ping_pong, pong_ping, 1},
    {"barrier", barrier, barrier, 1},
    {"add-of-4", add, add, 3},
    {"add-of-16", add, add, 15},
};

static pid_t start(void (*call)(par_sync *sync), long *count)
{
    const pid_t child = fork();
    if (child == 0) {
        par_sync *sync = opened();
        for (;; __atomic_add_fetch(count, 1, __ATOMIC_RELAXED))
            call(sync);
    }
    return child;
}

static long counted(int processes)
{
    long sum = 0;
    for (int i = 0; i < processes; i++)
        sum += __atomic_load_n(&counts[i * APART], __ATOMIC_RELAXED);
    return sum;
}

int main(int argc, char **argv)
{
    const struct row *row = rows;
    const struct row *const end = rows + sizeof rows / sizeof rows[0];
    pid_t partners[MOST];
    double begin, seconds;
    long before;
    int counting;
    par_sync *sync;

    if (argc == 1) {
        for (; row < end; row++)
            puts(row->name);
        return 0;
    }
    while (row < end && argc > 2 && strcmp(row->name, argv[2]) != 0)
        row++;
    if (argc != 4 || row == end) {
        fprintf(stderr, "usage: measure URL ROW SECONDS; without arguments it lists the rows\n");
        return 2;
    }
    url = argv[1];
    seconds = atof(argv[3]);
    sync = opened();
    set(sync);
    set_64k(sync);
    counts = par_shm_alloc(MOST * APART * sizeof *counts);
    counting = row->partner == row->call ? row->partners + 1 : 1;
    for (int i = 0; i < row->partners; i++)
        partners[i] = start(row->partner, &counts[(i + 1) * APART]);
    for (begin = now(); now() - begin < seconds / 10;)
        row->call(sync);
    for (before = counted(counting), begin = now(); now() - begin < seconds;)
        for (int i = 0; i < 10; i++, __atomic_add_fetch(counts, 1, __ATOMIC_RELAXED))
            row->call(sync);
    printf("%.0f\n", (double)(counted(counting) - before) / (now() - begin));
    for (int i = 0; i < row->partners; i++) {
        kill(partners[i], SIGKILL);
        waitpid(partners[i], NULL, 0);
    }
    par_sync_close(sync);
    return 0;
}
