/* Times par_map in forked workers against bare fork and wait of as many processes, round by round in turn; prints medians. */
#define _GNU_SOURCE
#include <parmap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4
#define MOST_ROUNDS 1001

static size_t n, out_size;
static uint64_t *in;
static char *out, *by_hand; /* by_hand is shared by mmap */
static uint64_t steps;      /* of each item */

static int item(const void *input, void *output, void *ctx)
{
    uint64_t x = *(const uint64_t *)input;
    (void)ctx;
    for (uint64_t i = 0; i < steps; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    memset(output, 0, out_size);
    memcpy(output, &x, sizeof x);
    return 0;
}

static void bare(void)
{
    for (size_t worker = 0; worker < WORKERS; worker++)
        if (fork() == 0) {
            for (size_t i = n * worker / WORKERS; i < n * (worker + 1) / WORKERS; i++)
                item(&in[i], by_hand + i * out_size, NULL);
            _exit(0);
        }
    for (size_t worker = 0; worker < WORKERS; worker++)
        wait(NULL);
}

static void ours(void)
{
    par_options options = PAR_OPTIONS_INIT;
    options.executor = PAR_PROCESSES;
    options.workers = WORKERS;
    par_status status = par_map(item, NULL, in, sizeof in[0], out, out_size, n, &options);
    if (status != PAR_OK) {
        fprintf(stderr, "par_map: %s\n", par_strerror(status));
        exit(1);
    }
}

static double seconds(void (*what)(void))
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    what();
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *times, int rounds)
{
    qsort(times, (size_t)rounds, sizeof times[0], compare);
    return times[rounds / 2];
}

enum { PRIVATE, SHARED }; /* where `out` lies */

static void row(const char *name, int where, size_t items, size_t size, uint64_t item_steps, int rounds)
{
    static double hand[MOST_ROUNDS], map[MOST_ROUNDS];
    n = items;
    out_size = size;
    steps = item_steps;
    in = calloc(n, sizeof in[0]);
    out = where == SHARED ? par_shm_alloc(n * size) : calloc(n, size);
    by_hand = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < rounds; round++) {
        hand[round] = seconds(bare);
        map[round] = seconds(ours);
    }
    double slow = median(hand, rounds), quick = median(map, rounds);
    printf("%-52s %10.0f %10.0f %8.2f %12.1f\n", name, slow * 1e6, quick * 1e6, quick / slow, quick * 1e9 / (double)n);
    fflush(stdout);
    munmap(by_hand, n * size);
    if (where == SHARED)
        par_shm_free(out, n * size);
    else
        free(out);
    free(in);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 61;
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    printf("%d workers, medians of %d rounds\n\n", WORKERS, rounds);
    printf("%-52s %10s %10s %8s %12s\n", "", "bare, us", "ours, us", "ratio", "ours, ns/item");
    row("4 items of nothing", PRIVATE, 4, 8, 0, rounds);
    row("4 items of 0.1 ms", PRIVATE, 4, 8, 100000, rounds);
    row("4 items of 1 ms", PRIVATE, 4, 8, 1000000, rounds);
    row("100 items of 0.1 ms", PRIVATE, 100, 8, 100000, rounds);
    row("1 000 000 items of nothing", PRIVATE, 1000000, 8, 0, rounds / 3 + 1);
    row("100 results of 1 MB", PRIVATE, 100, 1 << 20, 0, rounds / 10 + 1);
    row("100 results of 1 MB, out from par_shm_alloc", SHARED, 100, 1 << 20, 0, rounds / 10 + 1);
    volatile char *ballast = malloc(256u << 20);
    for (size_t at = 0; at < 256u << 20; at += 4096)
        ballast[at] = 1;
    row("4 items of nothing, from a host of 256 MB", PRIVATE, 4, 8, 0, rounds / 3 + 1);
    return 0;
}
