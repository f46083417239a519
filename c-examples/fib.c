/* Six Fibonacci numbers, one after the other and then all at once.
 *
 *     cc -O2 fib.c -o fib -lparmap && ./fib
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <parmap.h>

static uint64_t fib(int n)
{
    return n < 2 ? (uint64_t)n : fib(n - 1) + fib(n - 2);
}

/* One item: read *in, write *out, return 0. par_map calls this on several threads at once. */
static int fib_item(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(uint64_t *)out = fib(*(const int *)in);
    return 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(void)
{
    static const int n[6] = {38, 37, 36, 35, 34, 33};
    uint64_t loop[6], map[6];

    double start = seconds();
    for (size_t i = 0; i < 6; i++)
        fib_item(&n[i], &loop[i], NULL);
    double middle = seconds();
    par_status status = par_map(fib_item, NULL, n, sizeof n[0], map, sizeof map[0], 6, NULL);
    double end = seconds();

    if (status != PAR_OK || memcmp(loop, map, sizeof loop) != 0) {
        fprintf(stderr, "fib: %s\n", status != PAR_OK ? par_strerror(status) : "par_map and the loop disagree");
        return 1;
    }
    for (size_t i = 0; i < 6; i++)
        printf("fib(%d) = %" PRIu64 "\n", n[i], map[i]);
    printf("one after the other  %.3f s\n", middle - start);
    printf("par_map              %.3f s\n", end - middle);
    printf("speed-up             %.2fx on %zu CPUs\n", (middle - start) / (end - middle), par_cpu_count());
    return 0;
}
