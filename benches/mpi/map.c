/* The time of a map over all ranks: `fib` (six items of very different cost, the dearest first) or `small` (a million of some
 * 100 ns). */
#include "map.h"

#include "../items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIBS = 6, SMALL = 1000000, FIB_FROM = 38, REPEATS = 3 };

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void refuse(const char *sentence)
{
    fprintf(stderr, "map: %s\n", sentence);
    exit(1);
}

static void map_fib(int rank)
{
    int32_t in[FIBS];
    int64_t out[FIBS] = {0};

    for (int i = 0; i < FIBS; i++)
        in[i] = FIB_FROM - i;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double begin = seconds();
        ranks_map(item_fib, NULL, in, sizeof in[0], out, sizeof out[0], FIBS, 1);
        if (rank == 0)
            printf("time_s %.6f\n", seconds() - begin);
    }
    for (int i = 0; rank == 0 && i + 2 < FIBS; i++)
        if (out[i] == 0 || out[i] != out[i + 1] + out[i + 2])
            refuse("a number is wrong");
}

static void map_small(int rank)
{
    uint64_t rounds = 60; /* four multiplications each: about 100 ns */
    uint64_t *in = calloc(SMALL, sizeof *in), *out = calloc(SMALL, sizeof *out);

    if (in == NULL || out == NULL)
        refuse("no memory");
    for (uint64_t i = 0; i < SMALL; i++)
        in[i] = rank == 0 ? i : 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double begin = seconds();
        ranks_map(item_spin, &rounds, in, sizeof in[0], out, sizeof out[0], SMALL, 1000);
        if (rank == 0)
            printf("time_s %.6f\n", seconds() - begin);
    }
    for (uint64_t i = 0; rank == 0 && i < SMALL; i += 997)
        if (out[i] != spin(i, rounds))
            refuse("an item is wrong");
    free(out);
    free(in);
}

int main(int argc, char **argv)
{
    int rank, size;

    ranks_start(&rank, &size);
    if (argc == 2 && strcmp(argv[1], "fib") == 0)
        map_fib(rank);
    else if (argc == 2 && strcmp(argv[1], "small") == 0)
        map_small(rank);
    else
        refuse("say fib or small");
    ranks_finish();
    return 0;
}
