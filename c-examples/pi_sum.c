/* Pi as the area under 4 / (1 + x^2), summed by 1, 2 and 7 workers: the same bits each time.
 *
 *     cc -O2 pi_sum.c -o pi_sum -lparmap && ./pi_sum
 *
 * Floating-point addition is not associative, so most parallel sums change with the number of threads. par_reduce
 * cuts the work into the same ranges whoever computes them, and combines their sums from left to right.
 */
#include <stdio.h>
#include <string.h>

#include <parmap.h>

#define STEPS ((size_t)50 * 1000 * 1000)

/* Adds the strips begin .. end-1 to *acc. */
static int add_strips(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    double sum = 0;
    for (size_t i = begin; i < end; i++) {
        double x = ((double)i + 0.5) / STEPS;
        sum += 4 / (1 + x * x);
    }
    *(double *)acc += sum / STEPS;
    return 0;
}

/* Adds the sum of one range to the sum of all ranges before it. */
static int add_sums(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(double *)acc += *(const double *)other;
    return 0;
}

int main(void)
{
    static const size_t workers[] = {1, 2, 7};
    double pi[3] = {0, 0, 0}; /* 0: the identity of addition */

    for (size_t i = 0; i < 3; i++) {
        par_report report = {0};
        report.size = sizeof report;
        par_options options = PAR_OPTIONS_INIT;
        options.workers = workers[i];
        options.report = &report;

        par_status status = par_reduce(add_strips, add_sums, NULL, &pi[i], sizeof pi[i], STEPS, &options);
        if (status != PAR_OK) {
            fprintf(stderr, "pi_sum: %s\n", report.message);
            return 1;
        }
        printf("%zu worker%s  %.17g  %a  %.3f s\n", workers[i], workers[i] == 1 ? " " : "s", pi[i], pi[i],
               (double)report.wall_ns * 1e-9);
    }
    if (memcmp(&pi[0], &pi[1], sizeof pi[0]) != 0 || memcmp(&pi[0], &pi[2], sizeof pi[0]) != 0) {
        fprintf(stderr, "pi_sum: the bits differ\n");
        return 1;
    }
    printf("the same bits with 1, 2 and 7 workers\n");
    return 0;
}
