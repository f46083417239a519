/* The Mandelbrot set, its lines computed by all CPUs, written to mandelbrot.png or to the file you name.
 *
 *     cc -O2 mandelbrot.c -o mandelbrot -lparmap -lm && ./mandelbrot
 *     mpiexec -n 4 ./mandelbrot --mpi                  # the same, by the CPUs of several machines
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <parmap.h>

#include "png.h"

#define WIDTH 1200
#define HEIGHT 800
#define LIMIT 1000 /* steps after which a point counts as inside */

static const double pi = 3.14159265358979324;

/* How many steps z = z^2 + c takes to leave, with a fraction so that colours blend; -1: it stays. */
static double escape(double re, double im)
{
    double x = 0, y = 0, xx = 0, yy = 0;
    for (int step = 0; step < LIMIT; step++) {
        y = 2 * x * y + im;
        x = xx - yy + re;
        xx = x * x;
        yy = y * y;
        if (xx + yy > 256)
            return step + 5 - log2(log2(xx + yy));
    }
    return -1;
}

/* Adds a colour: gold far outside, then white and blue towards the set, which stays black. */
static void colour(double steps, double rgb[3])
{
    static const double phase[3] = {0.00, 0.08, 0.18};
    if (steps < 0)
        return;
    double turn = 0.7 + 0.25 * log2(1 + steps);
    for (int i = 0; i < 3; i++)
        rgb[i] += 0.5 - 0.5 * cos(2 * pi * (turn - phase[i]));
}

/* One line: its number goes in, its points come out. */
static int draw_line(const void *number, void *points, void *ctx)
{
    const double scale = 3.45 / WIDTH, left = -2.4, top = -1.15;
    const int row = *(const int *)number;
    uint8_t *point = points;
    (void)ctx;
    for (int column = 0; column < WIDTH; column++, point += 3) {
        double sum[3] = {0, 0, 0};
        for (int part = 0; part < 4; part++) { /* four samples a point: smooth edges */
            double x = column + (part & 1 ? 0.75 : 0.25);
            double y = row + (part & 2 ? 0.75 : 0.25);
            colour(escape(left + scale * x, top + scale * y), sum);
        }
        for (int i = 0; i < 3; i++)
            point[i] = (uint8_t)(sum[i] / 4 * 255 + 0.5);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t picture[HEIGHT * WIDTH * 3];
    static int rows[HEIGHT];
    const int on_ranks = argc > 1 && strcmp(argv[1], "--mpi") == 0;
    const char *path = argc > 1 + on_ranks ? argv[1 + on_ranks] : "mandelbrot.png";

    par_report report = {0};
    report.size = sizeof report;
    par_options options = PAR_OPTIONS_INIT;
    options.report = &report;
    if (on_ranks)
        options.executor = PAR_MPI; /* every rank makes the call, and has the picture in the end */

    for (int i = 0; i < HEIGHT; i++)
        rows[i] = i;
    if (par_map(draw_line, NULL, rows, sizeof rows[0], picture, 3 * WIDTH, HEIGHT, &options) != PAR_OK) {
        fprintf(stderr, "mandelbrot: %s\n", report.message);
        return 1;
    }
    if (on_ranks && par_mpi_rank() != 0)
        return 0;
    if (png_write(path, picture, WIDTH, HEIGHT) != 0) {
        fprintf(stderr, "mandelbrot: %s: %s\n", path, strerror(errno));
        return 1;
    }
    printf("%s: %d x %d points, drawn by %zu workers in %.3f s\n", path, WIDTH, HEIGHT, report.workers,
           (double)report.wall_ns * 1e-9);
    return 0;
}
