/* The longest Collatz chain that starts below 200 million, with a progress bar, a stop button and a deadline.
 *
 *     cc -O2 stop_button.c -o stop_button -lparmap
 *     ./stop_button        # press Ctrl-C when you have seen enough
 *     ./stop_button 3      # or give it three seconds
 *
 * However it ends, the blocks that were finished count, and the item states say which ones those are.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <parmap.h>

#define BLOCKS 2000
#define NUMBERS 100000 /* in each block */

typedef struct chain {
    uint64_t start, steps;
} chain;

static volatile sig_atomic_t stop;

static void on_ctrl_c(int signal_number)
{
    (void)signal_number;
    stop = 1; /* par_map looks at it before each item: no locks, no threads to find */
}

/* One item: the longest chain that starts in block number *in. */
static int longest_chain(const void *in, void *out, void *ctx)
{
    (void)ctx;
    const uint64_t begin = *(const uint64_t *)in * NUMBERS;
    chain longest = {0, 0};
    for (uint64_t start = begin + 1; start <= begin + NUMBERS; start++) {
        uint64_t steps = 0;
        for (uint64_t n = start; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
            steps++;
        if (steps > longest.steps) {
            longest.start = start;
            longest.steps = steps;
        }
    }
    *(chain *)out = longest;
    return 0;
}

/* Called on the main thread ten times a second and once at the end. Non-zero would stop the call, too. */
static int show_progress(const par_progress *progress, void *ctx)
{
    (void)ctx;
    int marks = (int)(50 * progress->done / progress->n);
    fprintf(stderr, "\r[%.*s%*s] %zu of %zu blocks, %.1f s ", marks,
            "##################################################", 50 - marks, "", progress->done, progress->n,
            (double)progress->elapsed_ns * 1e-9);
    return 0;
}

int main(int argc, char **argv)
{
    static uint64_t block[BLOCKS];
    static chain longest[BLOCKS];
    static par_item items[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        block[i] = i;

    signal(SIGINT, on_ctrl_c);

    par_report report = {0};
    report.size = sizeof report;
    par_options options = PAR_OPTIONS_INIT;
    options.cancel = &stop;
    options.timeout_ms = argc > 1 ? (uint64_t)(1000 * strtod(argv[1], NULL)) : 0;
    options.poll = show_progress;
    options.items = items;
    options.report = &report;

    par_status status = par_map(longest_chain, NULL, block, sizeof block[0], longest, sizeof longest[0], BLOCKS, &options);

    chain best = {1, 0};
    for (size_t i = 0; i < BLOCKS; i++)
        if (items[i].state == PAR_ITEM_OK && longest[i].steps > best.steps)
            best = longest[i];
    fprintf(stderr, "\n");
    if (status != PAR_OK)
        printf("%s\n", report.message);
    printf("%zu of %d blocks searched: the longest chain starts at %" PRIu64 " and has %" PRIu64 " steps\n", report.done,
           BLOCKS, best.start, best.steps);
    return status == PAR_OK ? 0 : 1;
}
